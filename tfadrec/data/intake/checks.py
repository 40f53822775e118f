"""The rules that the rows of every source must keep, per kind of column.

Each takes the raw rows and the name of a column, refuses the rows that break
the rule, and returns the column as the dataset holds it, [n], with an arbitrary
value where the row is refused.
"""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.schema import IdType
from tfadrec.data.columns import (
    as_array,
    as_floats,
    as_integers,
    as_lists,
    as_mask,
    as_text,
)
from tfadrec.data.intake.raw_rows import RawRows

SPLITS = ("train", "valid", "test")

_ISO = (
    r"^(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,][0-9]+)?)?"
    r"(?:Z|(?P<sign>[+-])(?P<zone_hour>[0-9]{2}):(?P<zone_minute>[0-9]{2}))?)?$"
)
_YEAR_10000 = 253_402_300_800


def ids(rows: RawRows, name: str, id_type: IdType) -> pa.Array:
    """Ids, none missing, and integers where `id_type` says so."""
    text = as_text(rows[name])
    rows.refuse(as_mask(pc.equal(text, "")), f"{name} is missing")
    if id_type == "string":
        return text
    integers = as_integers(text)
    rows.refuse(as_mask(integers.is_null()), f"{name} is no integer")
    return pc.fill_null(integers, 0)


def first_of_each(rows: RawRows, ids: pa.Array, what: str = "ad") -> None:
    """Refuses an ad, or another `what`, whose id an earlier kept row has."""
    kept = np.flatnonzero(rows.kept)
    codes = _codes(ids)[kept]
    _, first = np.unique(codes, return_index=True)
    repeated = np.zeros(len(rows), bool)
    repeated[np.delete(kept, first)] = True
    rows.refuse(repeated, f"{what} id repeats an earlier one")


def known_ads(rows: RawRows, ad_ids: pa.Array, catalogue: pa.Array) -> None:
    """Refuses rows on ads that the catalogue does not have."""
    known = pc.is_in(ad_ids, value_set=catalogue)
    rows.refuse(~as_mask(known), "ad id is not in the catalogue")


def labels(rows: RawRows, name: str) -> pa.Array:
    """Labels, int8: 0 or 1 (or the Boolean values of Parquet)."""
    values = as_floats(rows[name])
    zero_or_one = np.isin(values, (0.0, 1.0))
    rows.refuse(~zero_or_one, f"{name} is not 0 or 1")
    return pa.array(np.where(zero_or_one, values, 0).astype(np.int8))


def positions(rows: RawRows, name: str) -> pa.Array:
    """Places in a slate, int64, 0 = top."""
    values = as_floats(rows[name])
    good = (values >= 0) & (values < 2**31) & (values == np.floor(values))
    rows.refuse(~good, f"{name} is no integer from 0 on")
    return pa.array(np.where(good, values, 0).astype(np.int64))


def splits(rows: RawRows, name: str) -> pa.Array:
    """The published split of a row."""
    text = as_text(rows[name])
    known = pc.is_in(text, value_set=pa.array(SPLITS))
    rows.refuse(~as_mask(known), f"{name} is not train, valid or test")
    return text


def timestamps(
    rows: RawRows, name: str, time_format: str | None = None
) -> pa.Array:
    """Times, int64, UTC seconds from 1970 to 9999; fractions are cut off.

    A time without a zone is UTC.

    Args:
      rows: the rows.
      name: the column: whole seconds, ISO 8601 text, or any Arrow timestamp.
      time_format: how text is written, in the letters of `strptime`.
    """
    column = rows[name]
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        seconds = _cast_times(column)
    elif pa.types.is_integer(column.type):
        seconds = column.cast(pa.int64(), safe=False)
    elif pa.types.is_floating(column.type):
        seconds = _whole_seconds(column)
    elif time_format is None:
        seconds = _parse_iso(as_text(column))
    else:
        seconds = _parse_format(as_text(column), time_format)
    missing = as_mask(pc.is_null(seconds))
    rows.refuse(missing, f"{name} is no time that can be read")
    values = as_array(pc.fill_null(seconds, 0)).to_numpy()
    rows.refuse(
        (values < 0) | (values >= _YEAR_10000),
        f"{name} is not in seconds from 1970 to 9999",
    )
    return pa.array(values)


def texts(rows: RawRows, name: str) -> pa.Array:
    """Text as it stands; a missing one is empty."""
    return as_text(rows[name])


def numbers(rows: RawRows, name: str) -> pa.Array:
    """Real labels, float64, finite also in single precision."""
    values = as_floats(rows[name])
    good = _finite(values)
    rows.refuse(~good, f"{name} is no finite number")
    return pa.array(np.where(good, values, 0.0))


def weights(rows: RawRows, name: str) -> pa.Array:
    """Weights of rows, or counts, float64: finite and 0 or more."""
    values = as_floats(rows[name])
    good = _finite(values) & (values >= 0)
    rows.refuse(~good, f"{name} is no number from 0 on")
    return pa.array(np.where(good, values, 0.0))


def lists(rows: RawRows, name: str, separator: str) -> pa.Array:
    """Lists of strings, from a list column or from text with a separator."""
    return as_lists(rows[name], separator)


def _cast_times(column: pa.ChunkedArray) -> pa.Array:
    if not pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s"), safe=False)
    seconds = pa.timestamp("s", column.type.tz)
    return as_array(column.cast(seconds, safe=False).cast(pa.int64()))


def _whole_seconds(column: pa.ChunkedArray) -> pa.Array:
    values = np.floor(column.to_numpy().astype(np.float64))
    readable = np.abs(values) < 2**62
    return pa.array(
        np.where(readable, values, 0).astype(np.int64), mask=~readable
    )


def _parse_iso(text: pa.Array) -> pa.Array:
    seconds = as_integers(text)
    parts = pc.extract_regex(text, _ISO)
    if parts.null_count == len(parts):
        return seconds

    def part(name: str) -> np.ndarray:
        digits = pc.struct_field(parts, name)
        known = pc.fill_null(pc.not_equal(digits, ""), False)
        return pc.if_else(known, digits, "0").cast(pa.int64()).to_numpy()

    month, day = part("month"), part("day")
    hour, minute, second = part("hour"), part("minute"), part("second")
    zone_hour, zone_minute = part("zone_hour"), part("zone_minute")
    months = (part("year") - 1970) * 12 + month - 1
    # The number of the first day of each month, and of the next one.
    first, following = (
        m.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        for m in (months, months + 1)
    )
    good = (month >= 1) & (month <= 12)
    good &= (day >= 1) & (day <= following - first)
    good &= (hour < 24) & (minute < 60) & (second < 60)
    good &= (zone_hour < 24) & (zone_minute < 60)
    east = as_mask(
        pc.fill_null(pc.equal(pc.struct_field(parts, "sign"), "+"), False)
    )
    offset = (zone_hour * 60 + zone_minute) * np.where(east, 60, -60)
    clock = (hour * 60 + minute) * 60 + second
    iso = (first + day - 1) * 86400 + clock - offset
    return pc.coalesce(seconds, pa.array(iso, mask=~good))


def _parse_format(text: pa.Array, time_format: str) -> pa.Array:
    times = pc.strptime(text, format=time_format, unit="s", error_is_null=True)
    seconds = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
    missing = as_mask(times.is_null())
    seconds = np.nan_to_num(seconds).astype(np.int64)
    # The C library reads 30 February as 2 March; Python's parser, which is
    # slow, looks at the first days of months again.
    doubtful = as_mask(pc.fill_null(pc.less_equal(pc.day(times), 3), False))
    for row in np.flatnonzero(doubtful):
        try:
            datetime.datetime.strptime(text[row].as_py(), time_format)
        except ValueError:
            missing[row] = True
    return pa.array(seconds, mask=missing)


def _finite(values: np.ndarray) -> np.ndarray:
    """Bool [n], True where a float64 is finite as a float32 as well."""
    with np.errstate(over="ignore"):
        return np.isfinite(values.astype(np.float32))


def _codes(values: pa.Array) -> np.ndarray:
    """int32 [n], equal where the values are equal, in order of appearance."""
    return values.dictionary_encode().indices.to_numpy()
