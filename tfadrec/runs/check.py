"""Settings, checked name by name and value by value."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.core.ranges import refuse_huge
from tfadrec.core.schema import Schema
from tfadrec.runs.argument import Argument
from tfadrec.runs.custom import class_named
from tfadrec.runs.rule import Rule
from tfadrec.runs.sections import arguments_of, classes_of, has_classes, made_of
from tfadrec.runs.signature import Signature

#: What a setting may be: itself, or in a search space one of several values.
Options = Callable[[Any], Sequence[Any]]


def only(value: Any) -> Sequence[Any]:
    """The options of settings that leave nothing open."""
    return (value,)


def check_sections(
    sections: Mapping[str, Any],
    allow_import: Collection[str] = (),
    options: Options = only,
) -> None:
    """Refuses a class, a setting or a value that a run cannot have.

    TensorFlow is not needed. What depends on several settings together is left
    to the classes.

    Args:
      sections: section -> settings; None for a section that is left out.
      allow_import: modules whose classes may be named, as `module:Class`.
      options: the values that a setting may come to have.

    Raises:
      InputError: with the name of the setting, and what it may be.
    """
    for name, settings in sections.items():
        if settings is not None:
            refuse_huge(name, settings)
            _check(name, settings, allow_import, options)


def check_schema(sections: Mapping[str, Any], schema: Schema) -> None:
    """Refuses settings that name what a dataset does not have.

    Raises:
      InputError: with what it has.
    """
    tasks = (sections.get("ranker") or {}).get("tasks", ("clicked",))
    if not isinstance(tasks, str | Mapping):
        unknown = [t for t in tasks if t not in schema.labels]
        if unknown:
            raise InputError(
                "`ranker.tasks` must be labels of the dataset, of "
                f"{', '.join(schema.labels)}. Received: "
                f"{', '.join(map(str, unknown))}."
                f"{nearest(unknown, schema.labels)}"
            )
    for name, what in (
        ("calibration", "a calibration by field"),
        ("fairness", "a penalty on groups"),
    ):
        field = (sections.get(name) or {}).get("field")
        check_field(field, schema, what)
    category = (sections.get("ad_tower") or {}).get("category")
    known = [f.name for f in schema.of("ad") if f.spec()["kind"] == "category"]
    tensors = [f.tensor for f in schema.of("ad")]
    if isinstance(category, str) and category not in (*known, *tensors):
        raise InputError(
            "`ad_tower.category` must be a feature of the ads of kind "
            f"category, one of {', '.join(known) or 'none'}. Received: "
            f"category={category!r}.{nearest([category], known)}"
        )


def check_field(
    field: Any, schema: Schema, what: str = "a calibration by field"
) -> None:
    """Refuses a field that is no category of the dataset.

    Args:
      field: the name, or None for none.
      schema: of the dataset.
      what: what reads the field.

    Raises:
      InputError: with what there is.
    """
    if not isinstance(field, str):
        return
    features = schema.of("ad", "user", "context", "candidate")
    categories = [f for f in features if f.kind == "category"]
    known = [f.name for f in categories]
    more = [f.tensor for f in categories]
    more += [f"{f.entity}.{f.name}" for f in categories]
    if field not in (*known, *more):
        raise InputError(
            f"{what} reads a category of ads, users, requests or candidates, "
            f"one of {', '.join(known) or 'none'}. Received: "
            f"field={field!r}.{nearest([field], known)}"
        )


def refuse_unknown(
    what: str, accepted: Collection[str], settings: Iterable[Any]
) -> None:
    """Refuses settings that are not accepted, and lists those that are.

    Raises:
      InputError: where there is one.
    """
    unknown = [name for name in settings if name not in accepted]
    if unknown:
        raise InputError(
            f"{what} takes {', '.join(accepted) or 'no settings'}. Received: "
            f"{', '.join(sorted(map(str, unknown)))}."
            f"{nearest(unknown, accepted)}"
        )


def _check(
    section: str,
    settings: Mapping[str, Any],
    allow_import: Collection[str],
    options: Options,
) -> None:
    """Checks a section, or what stands within one."""
    takers = _takers(section, settings, allow_import, options)
    others = {k: v for k, v in settings.items() if k != "class"}
    what = ", ".join(name for name in takers if name)
    told = f"`{section}` ({what})" if what else f"`{section}`"
    if takers or "class" in settings:
        accepted = {k: a for taken in takers.values() for k, a in taken.items()}
        refuse_unknown(told, accepted, others)
    for key, setting in others.items():
        place = f"{section}.{key}"
        rules = [taken[key].rule for taken in takers.values() if key in taken]
        for value in options(setting):
            if isinstance(value, Mapping) and has_classes(place):
                _check(place, value, allow_import, options)
            _check_value(place, value, rules)
    for taken in takers.values():
        missing = [
            k for k, a in taken.items() if a.required and k not in others
        ]
        if missing:
            raise InputError(
                f"{told} needs {', '.join(missing)}. Received: "
                f"{', '.join(map(str, others)) or 'nothing'}."
            )


def _takers(
    section: str,
    settings: Mapping[str, Any],
    allow_import: Collection[str],
    options: Options,
) -> dict[str, dict[str, Argument]]:
    """The classes that settings can be for, with their arguments.

    None are known of what stands in a section and names no class, as the groups
    of an optimiser.
    """
    nested = "." in section
    if "class" not in settings and (nested or not has_classes(section)):
        return {} if nested else {made_of(section): arguments_of(section)}
    names = options(settings.get("class"))
    if "class" in settings and options is not only:
        # In a search space a null leaves the section out.
        names = [name for name in names if name is not None]
    return {
        str(name): arguments_of(section, class_of(section, name, allow_import))
        for name in names
    }


def _check_value(place: str, value: Any, rules: Sequence[Rule]) -> None:
    """Refuses a value that none of the classes takes that have the setting."""
    if not rules or any(rule.allows(value) for rule in rules):
        return
    words = " or ".join(dict.fromkeys(rule.words for rule in rules))
    key = place.rpartition(".")[2]
    raise InputError(
        f"`{place}` must be {words}. Received: {key}={value!r}."
        f"{_close(value, words)}{_wrapped(key, value, rules)}"
    )


def _wrapped(key: str, value: Any, rules: Sequence[Rule]) -> str:
    """How a value is written that lacks the name or the list around it."""
    if isinstance(value, Mapping | list | tuple):
        return ""
    for wrapped, text in (({"name": value}, "{{name: {}}}"), ([value], "[{}]")):
        if any(rule.allows(wrapped) for rule in rules):
            return f" Write `{key}: {text.format(value)}`."
    return ""


def _close(value: Any, words: str) -> str:
    """The choices that a text, or the texts of a mapping, may mean."""
    given = value.values() if isinstance(value, Mapping) else [value]
    known = {
        choice
        for listed in re.findall(r"one of (\w+(?:, \w+)*)", words)
        for choice in listed.split(", ")
    }
    return nearest(
        [v for v in given if isinstance(v, str) and v not in known], known
    )


def class_of(
    section: str, name: Any, allow_import: Collection[str] = ()
) -> Signature:
    """The class that a section names.

    Args:
      section: its name, also of one within a section.
      name: of one of its classes, or `module:Class`.
      allow_import: modules whose classes may be named.

    Raises:
      InputError: where it is none.
    """
    known = classes_of(section)
    if isinstance(name, str) and name in known:
        return known[name]
    if isinstance(name, str) and ":" in name and has_classes(section):
        return class_named(section, name, allow_import)
    if not known:
        raise InputError(
            f"`{section}` has no choice of a class. Received: class={name!r}. "
            "Leave it out."
        )
    raise InputError(
        f"`{section}` needs a class, one of {', '.join(known)}. Received: "
        f"class={name!r}.{nearest([name], known)}"
    )
