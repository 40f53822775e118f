"""Raw columns of features to typed ones, and to what the schema says of them.

Between the reading of a file and the writing of the dataset a feature's column
is called by its `FeatureSpec.key`, so that the features of two entities may
stand in one table. `named_columns` gives it the name that the schema made.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.features import KINDS
from tfadrec.data.intake.feature_parser import FeatureParser
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.of_rows import key_of
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.spilled_table import SpilledTable


def parse_features(
    rows: RawRows, specs: Iterable[FeatureSpec], ledger: Ledger
) -> dict[str, pa.Array]:
    """The typed columns of features of a file, see `FeatureParser`."""
    parser = FeatureParser(specs)
    columns = parser.parse(rows)
    parser.close(ledger)
    return columns


def describe_features(
    specs: Sequence[FeatureSpec], tables: Iterable[pa.Table | SpilledTable]
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
    keys = {_name_of(spec.key, names): spec.key for spec in specs}
    ordered: dict[str, FeatureSpec] = {}
    while waiting:
        ready = [
            spec
            for spec in waiting.values()
            if all(keys[name] in ordered for name in spec.references)
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
    names = {key_of(f): f.column for f in schema.features}
    return table.rename_columns([names.get(n, n) for n in table.column_names])


def keyed_columns(table: pa.Table, schema: Schema) -> pa.Table:
    """A dataset's table with its features' columns called by their keys."""
    keys = {f.column: key_of(f) for f in schema.features}
    return table.rename_columns([keys.get(n, n) for n in table.column_names])


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
        what, others = "several", found
        if not found:
            what = "no feature"
            keys = itertools.chain(*names.values())
            others = list(dict.fromkeys(_name_of(key, names) for key in keys))
        raise InputError(
            f"`of` and `share` must name one other feature each. Received: "
            f"{name!r} for {spec.name!r}, which names {what}. Name one of "
            f"{', '.join(others)}."
        )
    return _name_of(found[0], names)


def _name_of(key: str, names: Mapping[str, list[str]]) -> str:
    """The name of a feature alone, where only one entity has it, or its key."""
    _, _, plain = key.partition(".")
    return plain if len(names[plain]) == 1 else key
