"""The features in the YAML file of a table source."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Entity
from tfadrec.core.nearest import nearest
from tfadrec.data.features import KINDS, Kind
from tfadrec.data.features.kind import kind_named
from tfadrec.data.features.number import ascending
from tfadrec.data.features.rate import IDS
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.sources.table_spec import ColumnSpec

#: section -> the keys that hold its features.
FEATURE_KEYS = {
    "ads": ("features", "categorical", "numeric"),
    "users": ("features",),
    "events": ("features",),
    "impressions": (
        "position",
        "features",
        "candidate_features",
        "categorical",
        "numeric",
    ),
}
_ENTITIES: dict[str, Entity] = {
    "ads": "ad",
    "users": "user",
    "events": "event",
    "impressions": "context",
}
#: The kinds that the plain lists of columns stand for.
_PLAIN = {"categorical": "category", "numeric": "number"}


def read_features(
    section: Mapping[str, Any],
    where: str,
    columns: Mapping[str, ColumnSpec],
) -> tuple[FeatureSpec, ...]:
    """The features of one section.

    Args:
      section: its keys and values.
      where: its name.
      columns: those that it names otherwise: a feature `tags` of an ad is read
        off the column of its tags.

    Raises:
      InputError: where a kind, a setting or a column is not what it must be.
    """
    found: dict[tuple[Entity, str], str] = {}
    specs = []
    for key in FEATURE_KEYS[where]:
        for spec in _of_key(section.get(key), where, key, columns):
            before = found.setdefault((spec.entity, spec.name), key)
            if before != key:
                raise InputError(
                    f"{where} must name a feature once. Received: "
                    f"{spec.name!r} in {before} and in {key}. Remove one."
                )
            specs.append(spec)
    return tuple(specs)


def _of_key(
    content: Any, where: str, key: str, columns: Mapping[str, ColumnSpec]
) -> list[FeatureSpec]:
    if content is None:
        return []
    entity = _ENTITIES[where]
    if key == "position":
        column = columns["position"].column
        return [
            FeatureSpec("position", "candidate", "category", columns=(column,))
        ]
    if key in _PLAIN:
        named = _plain(content, f"{where}.{key}")
        return [
            FeatureSpec(name, entity, _PLAIN[key], columns=(column,))
            for name, column in named.items()
        ]
    if key == "candidate_features":
        entity = "candidate"
    if not isinstance(content, dict):
        raise InputError(
            f"{where}.{key} must give the kind of each feature. Received: "
            f"{content!r}. Write {{name: kind}}, such as {{brand: category}}; "
            f"kinds: {', '.join(KINDS)}."
        )
    specs = []
    for name, value in content.items():
        place = f"{where}.{key}.{name}"
        if not isinstance(name, str) or not name:
            raise InputError(
                "the name of a feature must be text, and not empty. Received: "
                f"{name!r} in {where}.{key}. "
                f"{'Give it a name' if name == '' else 'Put it in quotes'}."
            )
        like = (
            columns.get("tags") if where == "ads" and name == "tags" else None
        )
        specs.append(_feature(name, entity, value, place, like))
    return specs


def _plain(content: Any, where: str) -> dict[str, str]:
    """Names and columns, out of a list of columns or a mapping."""
    named = content
    if isinstance(named, Sequence) and not isinstance(named, str):
        named = {n: n for n in named if isinstance(n, str)} or None
    if not isinstance(named, dict) or not all(
        isinstance(text, str) and text
        for pair in named.items()
        for text in pair
    ):
        raise InputError(
            f"{where} must be a list of columns, or names and their columns. "
            f"Received: {content!r}. Write [a, b] or {{name: column}}."
        )
    return named


def _feature(
    name: str, entity: Entity, value: Any, where: str, like: ColumnSpec | None
) -> FeatureSpec:
    """One feature out of its kind, or out of its kind and settings."""
    given = {"kind": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or not isinstance(given.get("kind"), str):
        raise InputError(
            f"{where} must be a kind, or {{kind: …}} with settings. Received: "
            f"{value!r}. Kinds: {', '.join(KINDS)}."
        )
    if given["kind"] not in KINDS:
        raise InputError(
            f"{where} must be of a known kind. Received: {given['kind']!r}. "
            f"Kinds: {', '.join(KINDS)}.{nearest([given['kind']], KINDS)}"
        )
    kind = KINDS[given["kind"]]
    allowed = _allowed(kind)
    for key in given:
        if key != "kind" and key not in allowed:
            raise InputError(
                f"{where} must have settings of its kind. Received: {key!r}. "
                f"{kind_named(given['kind']).capitalize()} has: "
                f"{', '.join(allowed)}.{nearest([key], allowed)}"
            )
    for key, what in (("buckets", "a number"), ("bounds", "the bounds")):
        if not given.get(key, True):
            raise InputError(
                f"{where}.{key} must be {what} of buckets. Received: "
                f"{given[key]!r}. Leave it out where there are to be none."
            )
    if "bounds" in given:
        ascending(given["bounds"], f"{where}.bounds")
    columns: tuple[str, ...] = ()
    separator = given.get("separator", " ")
    if kind.is_parsed:
        column = given.get("column", name)
        if like is not None and "column" not in given:
            column = like.column
            separator = given.get("separator", like.separator)
        columns = _columns(column, given["kind"], where)
    if not isinstance(separator, str) or not separator:
        raise InputError(
            f"{where}.separator must be text. Received: {separator!r}. Put it "
            "in quotes."
        )
    of = _names(given["of"], f"{where}.of") if "of" in given else ()
    settings = {k: given[k] for k in kind.settings if k in given}
    if kind.counted:
        settings["ids"] = tuple(sorted(name for name in of if name in IDS))
        of = tuple(name for name in of if name not in IDS)
    return FeatureSpec(
        name=name,
        entity=entity,
        kind=given["kind"],
        columns=columns,
        separator=separator,
        settings=settings,
        of=of,
        share=_names(given["share"], f"{where}.share", most=1)[0]
        if "share" in given
        else "",
    )


def _allowed(kind: Kind) -> tuple[str, ...]:
    """The settings that a feature of a kind may have, its column included."""
    own = ("column",) if kind.is_parsed else ()
    lists = ("separator",) if kind.separated else ()
    return (*own, *lists, *kind.references, *kind.settings)


def _columns(value: Any, kind: str, where: str) -> tuple[str, ...]:
    names = _names(value, f"{where}.column")
    if len(names) > 1 and kind != "category":
        raise InputError(
            f"{where}.column must be one column; those of a category are "
            f"joined. Received: {value!r} for a {kind}. Name one."
        )
    return names


def _names(value: Any, where: str, most: int | None = None) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(name, str) and name for name in names)
        or (most is not None and len(names) > most)
    ):
        what = "a name" if most == 1 else "a name, or a list of names"
        raise InputError(
            f"{where} must be {what}. Received: {value!r}. Put names that look "
            "like numbers in quotes."
        )
    return tuple(names)
