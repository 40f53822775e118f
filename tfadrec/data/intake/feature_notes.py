"""What prepare says of features that say nothing, or of which some is cut."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.expression import LETTERS, evaluate, parse
from tfadrec.core.feature import Feature
from tfadrec.data.columns import Column, as_array, chunks_of
from tfadrec.data.features import KINDS, maps
from tfadrec.data.features.value_counts import MOST_VALUES, counts_in_parts
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.of_rows import key_of, of_rows
from tfadrec.data.intake.spilled_table import SpilledTable

Table: TypeAlias = pa.Table | SpilledTable
#: Rows that are looked at first: most features differ in them already.
_FEW = 4096


def note_features(
    features: Sequence[Feature],
    tables: Mapping[str, Table | None],
    ledger: Ledger,
) -> None:
    """Notes features without a value, or with the same one in all rows.

    Numbers out of range and lists that are cut are counted.

    Args:
      features: of a schema.
      tables: by entity, with typed columns by the features' keys; None where
        there is no such table.
      ledger: is told a line for each of these.
    """
    known = {feature.tensor: feature for feature in features}
    for feature in features:
        table = tables[feature.entity]
        if table is None or not len(table):
            continue
        named = f"the {feature.entity}'s {feature.name!r}"
        is_parsed = KINDS[feature.kind].is_parsed
        if is_parsed and not _has_value(feature, tables):
            ledger.note(
                f"{named} has no value in any row, so nothing can be learned "
                "of it; check its column, or leave it out"
            )
            continue
        check = _CHECKS.get(feature.kind, _check_column)
        if fault := check(feature, known, tables):
            ledger.note_whole(f"{named} {fault}")
        if feature.least_count:
            ledger.note(
                f"{named} has more values than a vocabulary holds "
                f"({MOST_VALUES:,}): those that are seen less than "
                f"{feature.least_count:,} times count as unknown; `buckets` "
                "hashes all values"
            )
        if is_parsed:
            column = _column(feature, tables)
            # Of a piece of a log the range is not its own.
            if cut := cut_numbers(feature, column):
                ledger.note_whole(f"{named}: {cut}")
            if cut := _cut_lists(feature, column):
                ledger.note(f"{named}: {cut}")


def _has_value(feature: Feature, tables: Mapping[str, Table | None]) -> bool:
    """Whether a row has something to read of a feature with a column."""
    kind, column = KINDS[feature.kind], _column(feature, tables)
    return any(kind.has_value(chunk).any() for chunk in chunks_of(column))


def _check_column(
    feature: Feature,
    known: Mapping[str, Feature],
    tables: Mapping[str, Table | None],
) -> str:
    """What is wrong with a column as it was read, or ""."""
    kind, nothing = KINDS[feature.kind], "so nothing can be learned of it"
    if not kind.is_parsed:
        return ""
    column = _column(feature, tables)
    value = _only_value(column)
    if value is not None:
        return (
            f"is {value!r:.60} in all rows, {nothing}; check its column, or "
            "leave it out"
        )
    if feature.bounds and (bucket := _only_bucket(feature, column)):
        return f"{bucket} in all rows, {nothing}; give other buckets"
    if feature.buckets:
        return ""
    unknown = "so all of them count as unknown"
    if not feature.share:
        if feature.vocabulary or "min_count" not in kind.settings:
            return ""
        return (
            f"has no value as often as `min_count` asks, {unknown}; lower "
            "`min_count`"
        )
    if _are_in(column, pa.array(feature.vocabulary, pa.string())):
        return ""
    return (
        f"has no value of {known[feature.share].name!r}, whose vocabulary it "
        f"reads, {unknown}; check both columns"
    )


def cut_numbers(feature: Feature, column: Column) -> str:
    """How many numbers are not read as they stand, or "".

    Args:
      feature: with the range that counts, if it has one.
      column: its typed values.
    """
    low, high = feature.low, feature.high
    if low is None or high is None:
        return ""
    count = beyond = 0
    for chunk in chunks_of(column):
        numbers = maps.numbers(chunk)
        count += int(np.isfinite(numbers).sum())
        beyond += int(((numbers < low) | (numbers > high)).sum())
    if not beyond:
        return ""
    ends = ", ".join(_apart(low, high))
    return (
        f"{beyond:,} of {count:,} numbers lie outside [{ends}] and are cut to "
        "it"
    )


def _cut_lists(feature: Feature, column: Column) -> str:
    """How many lists are not read to their ends, or ""."""
    if "max_values" not in KINDS[feature.kind].settings:
        return ""
    count = beyond = 0
    for chunk in chunks_of(column):
        lengths = maps.lengths(chunk)
        count += len(lengths)
        beyond += int((lengths > feature.width).sum())
    if not beyond:
        return ""
    return (
        f"{beyond:,} of {count:,} lists have more than {feature.width} values "
        "and are cut"
    )


def _apart(low: float, high: float) -> tuple[str, str]:
    """Two numbers in as few digits, from 6 on, as tell them apart."""
    for digits in range(6, 18):
        ends = f"{low:.{digits}g}", f"{high:.{digits}g}"
        if ends[0] != ends[1]:
            break
    return ends


def _check_overlap(
    feature: Feature,
    known: Mapping[str, Feature],
    tables: Mapping[str, Table | None],
) -> str:
    """What is wrong with an overlap, or ""."""
    first, second = (_column(known[name], tables) for name in feature.of)
    parts = counts_in_parts(
        lambda: (maps.texts(chunk) for chunk in chunks_of(second))
    )
    if any(_are_in(first, values.drop_null()) for values, _ in parts):
        return ""
    names = " and ".join(repr(known[name].name) for name in feature.of)
    return (
        f"is of {names}, which have no value in common, so nothing can be "
        "learned of it; check how both are written"
    )


def _check_expression(
    feature: Feature,
    known: Mapping[str, Feature],
    tables: Mapping[str, Table | None],
) -> str:
    """What is wrong with an expression, or ""."""
    read = [known[name] for name in feature.of]
    found, count = np.zeros(0), 0
    for rows in _pieces(feature, read, tables):
        count = max(count, len(rows))
        found = np.unique(
            np.append(found, _values(feature, read, rows, tables))
        )
        # All that is missing is one value, nan.
        if len(found) > 1:
            return ""
    if count < 2:
        return ""
    value = f"is {found[0]:g} in all rows"
    if np.isnan(found[0]):
        value = "has no value in any row"
    return f"{value}, so nothing can be learned of it; check its formula"


_CHECKS: Mapping[str, Callable[..., str]] = {
    "overlap": _check_overlap,
    "expression": _check_expression,
}


def _column(feature: Feature, tables: Mapping[str, Table | None]) -> Column:
    table = tables[feature.entity]
    assert table is not None
    return table[key_of(feature)]


def _are_in(column: Column, values: pa.Array) -> bool:
    """Whether a column has one of some values."""
    return any(
        pc.any(pc.is_in(maps.texts(chunk), value_set=values)).as_py()
        for chunk in chunks_of(column)
    )


def _only_value(column: Column) -> object | None:
    """What all rows of a column have; None where that is not one value."""
    first, count = None, 0
    if pa.types.is_nested(column.type):
        return None
    for chunk in chunks_of(column):
        if chunk.null_count:
            return None
        if first is None and len(chunk):
            first = chunk[0]
        if not pc.all(pc.equal(chunk, first)).as_py():
            return None
        count += len(chunk)
    return first.as_py() if first is not None and count > 1 else None


def _only_bucket(feature: Feature, column: Column) -> str:
    """Where all numbers lie, if that is in one bucket; else ""."""
    kind, codes, count = KINDS[feature.kind], np.zeros(0, np.int32), 0
    for chunk in chunks_of(column):
        count += len(chunk)
        read = kind.encode(chunk, feature)[feature.tensor]
        codes = np.union1d(codes, read)
        # A missing number is in the bucket 0.
        if len(codes) > 1 or not codes.all():
            return ""
    if count < 2:
        return ""
    code, bounds = int(codes[0]), feature.bounds
    if code == 1:
        return f"is below {bounds[0]:g}"
    if code > len(bounds):
        return f"is {bounds[-1]:g} or more"
    return f"is from {bounds[code - 2]:g} to below {bounds[code - 1]:g}"


def _pieces(
    feature: Feature,
    read: Sequence[Feature],
    tables: Mapping[str, Table | None],
) -> Iterator[pa.Table]:
    """The rows that an expression has a value for, the first ones twice."""
    table = tables[feature.entity]
    assert table is not None
    wanted = {"ad_id", "user_id", *map(key_of, read)}
    names = [name for name in table.column_names if name in wanted]
    batches = [table] if isinstance(table, pa.Table) else table.batches(names)
    for batch in batches:
        yield batch.slice(0, _FEW)
        yield batch


def _values(
    feature: Feature,
    read: Sequence[Feature],
    rows: pa.Table,
    tables: Mapping[str, Table | None],
) -> np.ndarray:
    """The formula's value for each row, nan where there is none."""

    def clipped(column: Column, number: Feature) -> np.ndarray:
        values = as_array(column).cast(pa.float64())
        return np.clip(
            values.to_numpy(zero_copy_only=False), number.low, number.high
        )

    beside = {}
    if feature.entity == "candidate":
        beside = {name: tables[name] for name in ("ad", "user")}
    numbers = [
        of_rows(number, rows, beside, clipped, np.nan) for number in read
    ]
    with np.errstate(all="ignore"):
        found = evaluate(
            parse(feature.expression, len(read)),
            dict(zip(LETTERS, numbers, strict=False)),
            _NUMPY,
        )
    found = np.broadcast_to(found, len(rows))
    return np.where(np.isfinite(found), found, np.nan)


#: What `evaluate` needs of a library.
_NUMPY: Mapping[str, Callable] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "max": np.maximum,
    "min": np.minimum,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sqrt": np.sqrt,
    "where": np.where,
    "is_nan": np.isnan,
    "float": np.float64,
}
