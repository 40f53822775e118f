"""The settings of a run with some left open, for a tuner to choose."""

import importlib.resources
import json
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from tfadrec.core.config import RunConfig, read_sections
from tfadrec.core.errors import InputError
from tfadrec.runs.check import check_sections, class_of, refuse_unknown
from tfadrec.runs.choices import kind_of, options
from tfadrec.runs.custom import modules_named
from tfadrec.runs.sections import defaults_of
from tfadrec.tuning.door import keras_tuner


class SearchSpace:
    """A run's settings, of which some are still to be chosen.

    It has the sections of `RunConfig`, and in place of a value

        {choice: [a, b, ...]}             one of these, of any kind
        {int: {min: 1, max: 4}}           optional: step, log
        {float: {min: 1e-4, max: 1e-2, log: true}}

    with `default` beside it, if the class's own default is not the one to
    begin with. Where `class` is a choice, a setting beside it belongs to those
    classes that have such an argument, and exists only while one of them is
    chosen; a `null` among the classes leaves the section out.

    The first trial of a search is at the defaults.

    Args:
      sections: section -> setting -> value or choice; None for a section that
        is left out.
      allow_import: modules whose classes may be named, as `module:Class`.

    Raises:
      InputError: where there is nothing to choose, a section, class or setting
        is unknown, or a choice is malformed.

    Example:
      >>> space = SearchSpace({
      ...     "encoder": {
      ...         "class": {"choice": ["DIN", "BST"]},
      ...         "num_heads": {"choice": [2, 4]},  # of BST
      ...     },
      ...     "optimizer": {
      ...         "class": "LazyAdam",
      ...         "learning_rate": {"float": {"min": 1e-4, "max": 1e-2}},
      ...     },
      ... })
      >>> space.names
      ['encoder.class', 'encoder.num_heads', 'optimizer.learning_rate']
    """

    def __init__(
        self, sections: Mapping[str, Any], allow_import: Collection[str] = ()
    ) -> None:
        self.sections = read_sections(
            yaml.safe_dump(_plain(sections), sort_keys=False)
        )
        check_sections(self.sections, allow_import, options)
        hp = keras_tuner.HyperParameters()
        self.sample(hp)
        #: What is chosen: section and setting, joined by a point.
        self.names = [parameter.name for parameter in hp.space]
        if not self.names:
            raise InputError(
                "a space needs something to choose. Received: none. Write a "
                "setting as {choice: [...]}, {int: {min, max}} or "
                "{float: {min, max}}."
            )

    @classmethod
    def from_yaml(
        cls, text: str | bytes, allow_import: Collection[str] = ()
    ) -> "SearchSpace":
        """Reads a YAML text, which is UTF-8 where it is bytes.

        Args:
          text: the text.
          allow_import: see the class.

        Raises:
          InputError: as for the constructor, or where it is no YAML.
        """
        return cls(read_sections(text), allow_import)

    @classmethod
    def default(cls) -> "SearchSpace":
        """The space of a search that is not told one."""
        folder = importlib.resources.files("tfadrec.tuning")
        return cls.from_yaml((folder / "default_space.yaml").read_bytes())

    def to_yaml(self) -> str:
        """The space as YAML text, which `from_yaml` reads back."""
        return yaml.safe_dump(self.sections, sort_keys=False)

    def sample(self, hp) -> RunConfig:
        """The settings at the values of keras-tuner's `HyperParameters`.

        Values that are not there yet are asked of it by name.
        """
        return RunConfig(
            **{
                name: section and _section(hp, name, section)
                for name, section in self.sections.items()
            }
        )


def _section(hp, name: str, node: Mapping[str, Any]):
    """A mapping with its choices made; None where its class is null."""
    if "class" not in node:
        return {k: _setting(hp, name, k, v) for k, v in node.items()}
    chosen = _setting(hp, name, "class", node["class"])
    made = {"class": chosen}
    for key, value in node.items():
        if key == "class":
            continue
        takers = _takers(name, node["class"], key)
        if kind_of(node["class"]):
            with hp.conditional_scope(f"{name}.class", takers):
                drawn = _setting(hp, name, key, value, takers[0])
        else:
            drawn = _setting(hp, name, key, value, takers[0])
        if chosen in takers:
            made[key] = drawn
    return made if chosen is not None else None


def _setting(hp, section: str, key: str, node: Any, chosen: str | None = None):
    """One value, drawn where it is a choice."""
    name = f"{section}.{key}"
    kind = kind_of(node)
    if kind is None:
        return _section(hp, name, node) if isinstance(node, Mapping) else node
    default = node.get("default", _own_default(section, key, chosen))
    try:
        if kind == "choice":
            return _choice(hp, name, node["choice"], default)
        return _number(hp, name, kind, node[kind], default)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        line = " ".join(str(error).split())
        raise InputError(
            f"`{name}` must be a choice that can be made: {line}. Received: "
            f"{node!r}."
        ) from error


def _choice(hp, name: str, values: list, default: Any):
    """One of the values, which keras-tuner knows as plain values or texts."""
    if not isinstance(values, list) or not values:
        raise ValueError("it needs a list of values, at least one")
    if set(map(type, values)) == {bool}:
        if len(values) == 1:
            return values[0]
        return hp.Boolean(name, default=bool(default))
    numbers = {type(v) for v in values} <= {int, float}
    coded = (
        [float(v) for v in values]
        if numbers and any(type(v) is float for v in values)
        else values
        if numbers
        else list(map(_text, values))
    )
    place = values.index(default) if default in values else 0
    drawn = hp.Choice(name, coded, default=coded[place])
    if drawn is None:  # of a class that is not chosen
        return None
    return _rounded(drawn) if numbers else values[coded.index(drawn)]


def _number(hp, name: str, kind: str, limits: Mapping[str, Any], default: Any):
    refuse_unknown(f"`{name}`", ("min", "max", "step", "log"), limits)
    low, high = limits["min"], limits["max"]
    ask = hp.Int if kind == "int" else hp.Float
    inside = type(default) in (int, float) and low <= default <= high
    drawn = ask(
        name,
        low,
        high,
        step=limits.get("step"),
        sampling="log" if limits.get("log") else "linear",
        default=default if inside else low,
    )
    return drawn if drawn is None else _rounded(drawn)


def _classes(node: Any) -> list:
    """The class or classes that a section names."""
    return node["choice"] if kind_of(node) == "choice" else [node]


def _takers(section: str, classes: Any, key: str) -> list[str]:
    """Which of the classes have an argument of that name."""
    return [
        name
        for name in _classes(classes)
        if name is not None and key in _defaults(section, name)
    ]


def _defaults(section: str, name: str) -> dict[str, Any]:
    """The settings of a class, which the constructor has checked."""
    allowed = modules_named({"class": name})
    return defaults_of(section, class_of(section, name, allowed))


def _own_default(section: str, key: str, chosen: str | None) -> Any:
    """What the setting is where it is left out."""
    if key == "class":
        default = getattr(RunConfig(), section, None)
        return default and default["class"]
    if chosen is not None:
        default = _defaults(section, chosen).get(key)
    elif "." in section:
        return None
    else:
        default = defaults_of(section).get(key)
    return list(default) if isinstance(default, tuple) else default


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _rounded(value: Any):
    """Six digits: what is left of a number on its way between processes."""
    return float(f"{value:.6g}") if isinstance(value, float) else int(value)


def _plain(value: Any) -> Any:
    """Lists for tuples, which YAML does not have."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
