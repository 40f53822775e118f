"""Features described by another dataset, so that new rows fit its models."""

import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.columns import Column, chunks_of
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.features import maps
from tfadrec.data.features.value_counts import counts_in_parts, value_counts
from tfadrec.data.intake.feature_columns import in_order
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.of_rows import key_of
from tfadrec.data.intake.spilled_table import SpilledTable

#: Settings that stand in the schema as they were given.
_AS_GIVEN = (
    "log1p",
    "expression",
    "measure",
    "ids",
    "days",
    "prior",
    "among",
)
_CODED = ("category", "categories", "lookup")
_BUCKETED = ("category", "categories", "cross")


@dataclasses.dataclass(frozen=True)
class KeepSchema:
    """The schema of another dataset, which a new one keeps.

    Vocabularies, statistics, the names of tensors, event types and the types
    of ids stay; values and types that are new are counted in the ledger.

    Args:
      schema: the other dataset's.
      name: how to call it in messages.
      label_types: the other dataset's labels, each `binary` or `real`.
      columns: those of its impressions.
    """

    schema: Schema
    name: str
    label_types: Mapping[str, str]
    columns: Sequence[str]

    @classmethod
    def of(cls, dataset: str | pathlib.Path) -> "KeepSchema":
        """The schema of a dataset folder, see `DatasetFiles`.

        Raises:
          InputError: where it is no dataset, or cannot be read.
        """
        files = DatasetFiles(dataset)
        return cls(
            files.schema(),
            str(dataset),
            files.label_types(),
            files.columns("impressions").names,
        )

    def require_same(self, specs: Sequence[FeatureSpec]) -> None:
        """Refuses features that the other dataset does not have.

        Raises:
          InputError: where one is missing, new, or of another kind or setting.
        """
        kept = {(f.entity, f.name): f for f in self.schema.features}
        given = {(spec.entity, spec.name): spec for spec in specs}
        told = []
        for found, other, where in (
            (given, kept, f"which {self.name} does not have. Remove"),
            (kept, given, f"which only {self.name} has. Add"),
        ):
            only = [
                f"the {entity}'s {name!r}"
                for entity, name in found
                if (entity, name) not in other
            ]
            if only:
                it = "them" if len(only) > 1 else "it"
                told.append(f"{', '.join(only)}, {where} {it}")
        if told:
            raise InputError(
                f"the features must be those of {self.name}. Received: "
                f"{'. And '.join(told)}, or prepare without that dataset."
            )
        names = _reference_names(self.schema.features)
        for spec in in_order(specs):
            kept_one = kept[spec.entity, spec.name]
            for setting, value, other in _stated(spec, kept_one, names):
                if value != other:
                    raise InputError(
                        f"the {spec.entity}'s {spec.name!r} must be as in "
                        f"{self.name}, with {setting} {other!r}. Received: "
                        f"{value!r}. Write the same."
                    )

    def features(
        self,
        tables: Iterable[pa.Table | SpilledTable],
        ledger: Ledger,
    ) -> tuple[Feature, ...]:
        """The features of the other dataset, to describe new columns.

        Args:
          tables: hold the typed columns, by the keys of the features.
          ledger: is told which values are new.

        Raises:
          InputError: where a column does not fit.
        """
        columns = {
            name: table[name] for table in tables for name in table.column_names
        }
        for feature in self.schema.features:
            column = columns.get(key_of(feature))
            if column is not None:
                self._check(feature, column)
                if fault := _unknown(feature, column):
                    ledger.note(
                        f"the {feature.entity}'s {feature.name!r}: {fault}"
                        f", compared with {self.name}"
                    )
        return self.schema.features

    def require_labels(self, types: Mapping[str, str]) -> None:
        """Refuses labels that are not those of the other dataset.

        Args:
          types: the name of each label -> `binary` or `real`.

        Raises:
          InputError: where they are others, or of another type.
        """
        known = self.schema.labels
        if set(types) != set(known):
            raise InputError(
                f"labels must be those of {self.name}: {', '.join(known)}. "
                f"Received: {', '.join(types)}. Name the same ones."
            )
        for label, kept in self.label_types.items():
            if types[label] != kept:
                raise InputError(
                    f"label {label} must be {kept}, as in {self.name}. "
                    f"Received: {types[label]}. Write the same."
                )

    def other_rows(
        self, *, weight: bool, split: bool, negatives_kept: float
    ) -> list[str]:
        """Says why rows of another sort cannot be joined with the dataset's.

        They may be scored and measured: a ranker that has learned from a sample
        of the negatives is measured on all of them.

        Args:
          weight: whether rows have weights.
          split: whether they have a published split.
          negatives_kept: the share of those without a click that are there.
        """
        kept = self.schema.negatives_kept
        pairs = [
            (key, ("none", "one")[key in self.columns], ("none", "one")[given])
            for key, given in (("weight", weight), ("split", split))
        ]
        pairs.append(("negatives_kept", f"{kept:g}", f"{negatives_kept:g}"))
        return [
            f"`{key}` of impressions is not as in {self.name} ({given}, and "
            f"{known} there), so the two cannot be joined"
            for key, known, given in pairs
            if known != given
        ]

    def event_types(
        self, columns: Iterable[Column], ledger: Ledger
    ) -> tuple[str, ...]:
        """The event types of the other dataset, new ones being unknown.

        Args:
          columns: all types that events have.
          ledger: is told how many are new.
        """
        known = pa.array(self.schema.event_types, pa.string())
        for column in columns:
            names, counts = value_counts(chunks_of(column))
            is_new = pc.invert(pc.is_in(names, value_set=known))
            new, seen = names.filter(is_new), counts.filter(is_new)
            number = pc.sum(seen).as_py()
            if number:
                most = new[int(np.argmax(seen.to_numpy()))].as_py()
                ledger.note(
                    f"{number:,} of {pc.sum(counts).as_py():,} events have "
                    f"types that {self.name} does not have "
                    f"({_examples(len(new), most)}) and "
                    "count as events of an unknown type"
                )
        return self.schema.event_types

    def _check(self, feature: Feature, column: Column) -> None:
        """Refuses a column that the feature cannot be read off."""
        if feature.kind == "categories":
            weighted = pa.types.is_map(column.type)
            if weighted != feature.weighted:
                raise InputError(
                    f"the {feature.entity}'s {feature.name!r} must be as in "
                    f"{self.name}, where it has "
                    f"{'' if feature.weighted else 'no '}weights. Received: a "
                    f"column with{'' if weighted else 'out'} weights. Give one "
                    f"with{'' if feature.weighted else 'out'}, or set "
                    f"`weighted: {str(feature.weighted).lower()}`."
                )
        if feature.kind == "vector":
            for chunk in chunks_of(column):
                width = pc.max(pc.list_value_length(chunk)).as_py()
                if width not in (None, feature.width):
                    raise InputError(
                        f"the {feature.entity}'s {feature.name!r} must have "
                        f"{feature.width} floats, as in {self.name}. Received: "
                        f"{width}. Name another column."
                    )


def _reference_names(features: Sequence[Feature]) -> dict[str, str]:
    """Tensor -> how features refer to it, as `in_order` gives that."""
    keys = {f.tensor: key_of(f) for f in features}
    times = collections.Counter([*keys.values(), *(f.name for f in features)])
    return {
        f.tensor: f.name if times[f.name] == 1 else keys[f.tensor]
        for f in features
    }


def _stated(spec: FeatureSpec, kept: Feature, names: Mapping[str, str]):
    """(name, given value, the other dataset's value) of what is stated."""
    yield "the kind", spec.kind, kept.kind
    yield "of", list(spec.of), [names[tensor] for tensor in kept.of]
    if spec.share:
        yield "share", spec.share, names.get(kept.share, "")
    for name in _AS_GIVEN:
        if name in spec.settings:
            yield name, spec.settings[name], getattr(kept, name)
    own = spec.kind in _BUCKETED and not spec.share
    if own and "buckets" in spec.settings:
        yield "buckets", spec.settings["buckets"], kept.buckets
    if spec.settings.get("bounds"):
        yield "bounds", list(spec.settings["bounds"]), list(kept.bounds)


def _unknown(feature: Feature, column: Column) -> str:
    """What is said of values that the other dataset did not have, or ""."""
    if feature.buckets or feature.kind not in _CODED:
        return ""
    known = pa.array(feature.vocabulary, pa.string())
    total = 0

    def new() -> Iterator[pa.Array]:
        nonlocal total
        total = 0
        for chunk in chunks_of(column):
            texts = maps.texts(chunk).drop_null()
            texts = texts.filter(pc.not_equal(texts, ""))
            total += len(texts)
            yield texts.filter(pc.invert(pc.is_in(texts, value_set=known)))

    number = distinct = most = 0
    example = ""
    for names, counts in counts_in_parts(new):
        if not len(names):
            continue
        number += pc.sum(counts).as_py()
        distinct += len(names)
        largest = int(np.argmax(counts.to_numpy()))
        if counts[largest].as_py() > most:
            most, example = counts[largest].as_py(), names[largest].as_py()
    if not number:
        return ""
    return (
        f"{number:,} of {total:,} values are new "
        f"({_examples(distinct, example)}) and count as unknown"
    )


def _examples(distinct: int, example: str) -> str:
    """How many distinct values there are, and the most frequent one."""
    return f"{distinct:,} distinct, most often {example!r}"
