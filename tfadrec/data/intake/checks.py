"""The rules that the rows of every source must keep, per kind of column.

Each takes the raw rows and the name of a column, refuses the rows that break
the rule, and returns the column as the dataset holds it, [n], with an arbitrary
value where the row is refused.
"""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.schema import IdType
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows

SPLITS = ("train", "valid", "test")

_INTEGER = r"^[+-]?[0-9]{1,18}$"
_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
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
    rows.refuse(_mask(pc.equal(text, "")), f"{name} is missing")
    if id_type == "string":
        return text
    integer = pc.match_substring_regex(text, _INTEGER)
    rows.refuse(~_mask(integer), f"{name} is no integer")
    return pc.if_else(integer, text, "0").cast(pa.int64())


def first_of_each(rows: RawRows, ad_ids: pa.Array) -> None:
    """Refuses an ad whose id an earlier kept row has."""
    kept = np.flatnonzero(rows.kept)
    codes = _codes(ad_ids)[kept]
    _, first = np.unique(codes, return_index=True)
    repeated = np.zeros(len(rows), bool)
    repeated[np.delete(kept, first)] = True
    rows.refuse(repeated, "ad id repeats an earlier one")


def known_ads(rows: RawRows, ad_ids: pa.Array, catalogue: pa.Array) -> None:
    """Refuses rows on ads that the catalogue does not have."""
    known = pc.is_in(ad_ids, value_set=catalogue)
    rows.refuse(~_mask(known), "ad id is not in the catalogue")


def labels(rows: RawRows, name: str) -> pa.Array:
    """Labels, int8: 0 or 1 (or the Boolean values of Parquet)."""
    values = _floats(rows[name])
    zero_or_one = np.isin(values, (0.0, 1.0))
    rows.refuse(~zero_or_one, f"{name} is not 0 or 1")
    return pa.array(np.where(zero_or_one, values, 0).astype(np.int8))


def positions(rows: RawRows, name: str) -> pa.Array:
    """Places in a slate, int64, 0 = top."""
    values = _floats(rows[name])
    good = (values >= 0) & (values < 2**31) & (values == np.floor(values))
    rows.refuse(~good, f"{name} is no integer from 0 on")
    return pa.array(np.where(good, values, 0).astype(np.int64))


def splits(rows: RawRows, name: str) -> pa.Array:
    """The published split of a row."""
    text = as_text(rows[name])
    known = pc.is_in(text, value_set=pa.array(SPLITS))
    rows.refuse(~_mask(known), f"{name} is not train, valid or test")
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
    missing = _mask(pc.is_null(seconds))
    rows.refuse(missing, f"{name} is no time that can be read")
    values = _array(pc.fill_null(seconds, 0)).to_numpy()
    rows.refuse(
        (values < 0) | (values >= _YEAR_10000),
        f"{name} is not in seconds from 1970 to 9999",
    )
    return pa.array(values)


def texts(rows: RawRows, name: str) -> pa.Array:
    """Text as it stands; a missing one is empty."""
    return as_text(rows[name])


def categories(rows: RawRows, name: str) -> pa.Array:
    """Categories as strings; an empty one is null."""
    text = as_text(rows[name])
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def numbers(rows: RawRows, name: str, ledger: Ledger) -> pa.Array:
    """Numbers, float64; what is none is null, and noted where not empty."""
    values = _floats(rows[name])
    missing = ~np.isfinite(values)
    strange = missing & ~_mask(pc.equal(as_text(rows[name]), "")) & rows.kept
    if strange.any():
        ledger.note(
            f"{rows.source}: {int(strange.sum())} values of {name} are no "
            "numbers and count as missing"
        )
    return pa.array(values, mask=missing)


def lists(rows: RawRows, name: str, separator: str) -> pa.Array:
    """Lists of strings, from a list column or from text with a separator."""
    column = rows[name]
    if _is_list(column.type):
        _require_plain(column.type.value_type)
        values = _array(column.cast(pa.list_(pa.string())))
        lengths = _array(pc.fill_null(pc.list_value_length(values), 0))
        parts, flat = lengths.to_numpy(), values.flatten()
    else:
        values = pc.split_pattern(as_text(column), separator)
        parts, flat = pc.list_value_length(values).to_numpy(), values.flatten()
    filled = pc.fill_null(flat, "")
    real = _mask(pc.not_equal(filled, ""))
    return _lists(filled.filter(pa.array(real)), parts, real)


def list_parents(values: pa.Array) -> np.ndarray:
    """int64, for each entry of the lists the list that holds it."""
    return np.repeat(
        np.arange(len(values)), pc.list_value_length(values).to_numpy()
    )


def filter_lists(values: pa.Array, keep: np.ndarray, flat=None) -> pa.Array:
    """The lists with only the entries where `keep` is True.

    Args:
      values: [n] lists without nulls.
      keep: bool, one per entry of all lists.
      flat: the entries, where they are to be replaced by others.
    """
    flat = values.flatten() if flat is None else flat
    lengths = pc.list_value_length(values).to_numpy()
    return _lists(flat.filter(pa.array(keep)), lengths, keep)


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Any plain column as strings, a missing value as the empty one.

    Raises:
      InputError: where the column holds lists or other nested values.
    """
    _require_plain(column.type)
    if pa.types.is_floating(column.type):
        # Ids that once met a missing value come as 17850.0.
        values = column.to_numpy()
        if np.array_equal(values, np.floor(values), equal_nan=True) and (
            np.nanmax(np.abs(values), initial=0) < 2**53
        ):
            column = pa.array(
                np.nan_to_num(values).astype(np.int64), mask=np.isnan(values)
            )
    return _array(pc.fill_null(column.cast(pa.string()), ""))


def _lists(flat: pa.Array, lengths: np.ndarray, keep: np.ndarray) -> pa.Array:
    ends = np.concatenate([[0], np.cumsum(keep)])
    offsets = ends[np.concatenate([[0], np.cumsum(lengths)])]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """float64 [n], NaN where the column holds no number."""
    _require_plain(column.type)
    if pa.types.is_temporal(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if not pa.types.is_string(column.type):
        values = column.cast(pa.float64(), safe=False)
        return values.to_numpy().astype(np.float64)
    number = pc.match_substring_regex(column, _NUMBER)
    values = pc.if_else(number, pc.utf8_trim_whitespace(column), None)
    values = pc.replace_substring_regex(values, r"^\+", "")
    return _array(values.cast(pa.float64())).to_numpy(zero_copy_only=False)


def _cast_times(column: pa.ChunkedArray) -> pa.Array:
    if not pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s"))
    seconds = pa.timestamp("s", column.type.tz)
    return _array(column.cast(seconds, safe=False).cast(pa.int64()))


def _whole_seconds(column: pa.ChunkedArray) -> pa.Array:
    values = np.floor(column.to_numpy().astype(np.float64))
    readable = np.abs(values) < 2**62
    return pa.array(
        np.where(readable, values, 0).astype(np.int64), mask=~readable
    )


def _parse_iso(text: pa.Array) -> pa.Array:
    integer = pc.match_substring_regex(text, _INTEGER)
    seconds = pc.if_else(integer, text, None).cast(pa.int64())
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
    east = _mask(
        pc.fill_null(pc.equal(pc.struct_field(parts, "sign"), "+"), False)
    )
    offset = (zone_hour * 60 + zone_minute) * np.where(east, 60, -60)
    clock = (hour * 60 + minute) * 60 + second
    iso = (first + day - 1) * 86400 + clock - offset
    return pc.coalesce(seconds, pa.array(iso, mask=~good))


def _parse_format(text: pa.Array, time_format: str) -> pa.Array:
    times = pc.strptime(text, format=time_format, unit="s", error_is_null=True)
    seconds = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
    missing = _mask(times.is_null())
    seconds = np.nan_to_num(seconds).astype(np.int64)
    # The C library reads 30 February as 2 March; Python's parser, which is
    # slow, looks at the first days of months again.
    doubtful = _mask(pc.fill_null(pc.less_equal(pc.day(times), 3), False))
    for row in np.flatnonzero(doubtful):
        try:
            datetime.datetime.strptime(text[row].as_py(), time_format)
        except ValueError:
            missing[row] = True
    return pa.array(seconds, mask=missing)


def _codes(values: pa.Array) -> np.ndarray:
    """int32 [n], equal where the values are equal, in order of appearance."""
    return values.dictionary_encode().indices.to_numpy()


def _mask(values) -> np.ndarray:
    return _array(values).to_numpy(zero_copy_only=False).astype(bool)


def _array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    return values


def _require_plain(kind: pa.DataType) -> None:
    if pa.types.is_nested(kind):
        raise InputError(
            "a column must hold texts, numbers or times, or for tags and "
            f"histories lists of these. Received: a column of {kind}. Name "
            "another column."
        )


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)
