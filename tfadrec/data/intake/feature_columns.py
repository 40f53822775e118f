"""Raw columns of features to typed ones, and to what the schema says of them.

Between the reading of a file and the writing of the dataset a feature's column
is called by its `FeatureSpec.key`, so that the features of two entities may
stand in one table. `named_columns` gives it the name that the schema made.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.columns import as_mask, as_text
from tfadrec.data.features import KINDS
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows, shown

#: What stands between the values of columns that are joined, as in the keys of
#: a map in text.
JOINED_BY = ":"


def parse_features(
    rows: RawRows, specs: Iterable[FeatureSpec], ledger: Ledger
) -> dict[str, pa.Array]:
    """The typed columns of features, by their keys.

    What cannot be read is missing, and the ledger notes how often that happened
    in rows that are kept so far; so the checks that refuse rows come first.

    Args:
      rows: the rows, with the columns that the specs name.
      specs: the features; those without a column are passed over.
      ledger: is told what could not be read.

    Returns:
      Arrays [n], null where a value is missing.

    Raises:
      InputError: where a column's type does not fit the kind of its feature,
        or none of the values that were given can be read.
    """
    columns = {}
    notes = []
    for spec in specs:
        if not spec.columns:
            continue
        kind = KINDS[spec.kind]
        raw = _joined([rows[column] for column in spec.columns])
        try:
            columns[spec.key], broken = kind.parse(
                raw, spec.separator, spec.settings
            )
        except InputError as error:
            raise InputError(
                f"{rows.source}: the {spec.entity}'s {spec.name!r}: {error}"
            ) from error
        if (broken & rows.kept).any():
            readable = kind.has_value(columns[spec.key]) & rows.kept
            notes.append(_unreadable(rows, spec, raw, broken, readable))
    # Two features may have one column.
    for note in dict.fromkeys(notes):
        ledger.note(note)
    return columns


def describe_features(
    specs: Sequence[FeatureSpec], tables: Iterable[pa.Table]
) -> tuple[Feature, ...]:
    """The features with what is to be known of their columns.

    Args:
      specs: the features of all entities.
      tables: hold the typed columns, by the keys of the features.

    Returns:
      A feature for each spec, in their order, for a schema to name.

    Raises:
      InputError: where a setting is wrong, or a reference cannot be followed.
    """
    columns = {
        name: table[name] for table in tables for name in table.column_names
    }
    described: dict[str, Feature] = {}
    known: dict[str, Feature] = {}
    for spec in in_order(specs):
        feature = KINDS[spec.kind].describe(
            Feature(
                spec.name,
                spec.entity,
                spec.kind,
                of=spec.of,
                share=spec.share,
            ),
            columns[spec.key] if spec.columns else None,
            known,
            **spec.settings,
        )
        described[spec.key] = known[spec.key] = known[spec.name] = feature
    return tuple(described[spec.key] for spec in specs)


def in_order(specs: Sequence[FeatureSpec]) -> list[FeatureSpec]:
    """The specs, each after those that it refers to.

    Each reference is replaced by the one name that all references to that
    feature have.

    Raises:
      InputError: where two features of one entity have one name, a reference
        names no feature or several, or features refer to each other in a
        circle.
    """
    names = _reference_names(specs)
    waiting = {
        spec.key: dataclasses.replace(
            spec,
            of=tuple(_follow(name, spec, names) for name in spec.of),
            share=spec.share and _follow(spec.share, spec, names),
        )
        for spec in specs
    }
    key_of = {_name_of(spec, names): spec.key for spec in specs}
    ordered: dict[str, FeatureSpec] = {}
    while waiting:
        ready = [
            spec
            for spec in waiting.values()
            if all(key_of[name] in ordered for name in spec.references)
        ]
        if not ready:
            raise InputError(
                "features must not refer to each other in a circle. Received: "
                f"{', '.join(repr(spec.name) for spec in waiting.values())}. "
                "Take one `of` or `share` out."
            )
        for spec in ready:
            ordered[spec.key] = waiting.pop(spec.key)
    return list(ordered.values())


def named_columns(table: pa.Table, schema: Schema) -> pa.Table:
    """The table with its features' columns called as the schema says."""
    names = {f"{f.entity}.{f.name}": f.column for f in schema.features}
    return table.rename_columns([names.get(n, n) for n in table.column_names])


def keyed_columns(table: pa.Table, schema: Schema) -> pa.Table:
    """A dataset's table with its features' columns called by their keys."""
    keys = {f.column: f"{f.entity}.{f.name}" for f in schema.features}
    return table.rename_columns([keys.get(n, n) for n in table.column_names])


def _unreadable(
    rows: RawRows,
    spec: FeatureSpec,
    raw: pa.ChunkedArray,
    broken: np.ndarray,
    readable: np.ndarray,
) -> str:
    """What is to be said of values that cannot be read.

    Args:
      rows: the rows.
      spec: the feature.
      raw: its column, [n].
      broken: bool [n], True where there was something that cannot be read.
      readable: bool [n], True for the kept rows with a value.

    Raises:
      InputError: where no kept row has one.
    """
    broken = broken & rows.kept
    row = int(np.argmax(broken))
    number, given = int(broken.sum()), int((broken | readable).sum())
    column = ", ".join(spec.columns)
    (value,) = shown(raw.slice(row, 1))
    sample = f"{value[:60]!r} in line {rows.lines[row]}"
    if not readable.any():
        raise InputError(
            f"{rows.source}: the {spec.entity}'s {spec.name!r}: a {spec.kind} "
            f"must have values that can be read. Received: {number:,} values "
            f"of {column}, none of which can, such as {sample}. "
            f"{KINDS[spec.kind].mend}, or name another kind or column."
        )
    return (
        f"{rows.source}: {number:,} of {given:,} values of {column} "
        f"{KINDS[spec.kind].unreadable}, such as {sample}"
    )


def _reference_names(specs: Sequence[FeatureSpec]) -> dict[str, list[str]]:
    """By each name that a reference may use, the keys that it stands for."""
    names: dict[str, list[str]] = {}
    for spec in specs:
        if spec.key in names.get(spec.key, ()):
            raise InputError(
                "the features of an entity must have names of their own. "
                f"Received: {spec.name!r} twice for the {spec.entity}. Rename "
                "one."
            )
        for name in (spec.name, spec.key):
            names.setdefault(name, []).append(spec.key)
    return names


def _follow(
    name: str, spec: FeatureSpec, names: Mapping[str, list[str]]
) -> str:
    """The one name that all references to a feature have."""
    found = names.get(name, [])
    if len(found) != 1:
        what = "no feature" if not found else "several: " + ", ".join(found)
        raise InputError(
            f"`of` and `share` must name one other feature each. Received: "
            f"{name!r} for {spec.name!r}, which names {what}. Name one of "
            f"{', '.join(names)}."
        )
    entity, _, plain = found[0].partition(".")
    return plain if len(names[plain]) == 1 else f"{entity}.{plain}"


def _name_of(spec: FeatureSpec, names: Mapping[str, list[str]]) -> str:
    return spec.name if len(names[spec.name]) == 1 else spec.key


def _joined(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """One column; of several the texts, missing where one of them is."""
    if len(columns) == 1:
        return columns[0]
    texts = [as_text(column) for column in columns]
    whole = np.all([~as_mask(pc.equal(t, "")) for t in texts], axis=0)
    joined = pc.binary_join_element_wise(*texts, JOINED_BY)
    return pa.chunked_array([pc.if_else(pa.array(whole), joined, "")])
