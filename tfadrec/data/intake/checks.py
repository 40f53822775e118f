"""The rules that the rows of every source must keep, per kind of column.

Each takes the raw rows and the name of a column, refuses the rows that break
the rule, and returns the column as the dataset holds it, [n], with an arbitrary
value where the row is refused.
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.schema import IdType
from tfadrec.data.columns import (
    as_array,
    as_floats,
    as_integers,
    as_lists,
    as_mask,
    as_text,
    require_plain,
    rows_of,
)
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.row_filter import WORDS, RowFilter
from tfadrec.data.intake.times import YEAR_10000, read_ends, read_times

SPLITS = ("train", "valid", "test")

_YEAR_1971 = 31_536_000


def ids(rows: RawRows, name: str, id_type: IdType) -> pa.Array:
    """Ids, none missing, and integers where `id_type` says so."""
    return coded_ids(rows, name, id_type).dictionary_decode()


def coded_ids(rows: RawRows, name: str, id_type: IdType) -> pa.DictionaryArray:
    """Ids as from `ids`, each distinct one once, and its place for each row."""
    raw = as_array(_plain(rows, name)).dictionary_encode(null_encoding="encode")
    places = raw.indices.to_numpy()
    found = as_text(pa.chunked_array([raw.dictionary]))
    missing = as_mask(pc.equal(found, ""))[places]
    rows.refuse(missing, f"{name} is missing")
    if id_type == "int64":
        # A column of integers with gaps is written with decimals: 17850.0.
        text = pc.replace_substring_regex(
            found, r"^\s*([+-]?[0-9]+)(?:\.0+)?\s*$", r"\1"
        )
        integers = as_integers(text)
        wrong = as_mask(integers.is_null())[places]
        rows.refuse(wrong, f"{name} is no integer")
        found = pc.fill_null(integers, 0)
    if id_type == "string" and pa.types.is_integer(raw.dictionary.type):
        return pa.DictionaryArray.from_arrays(places, found)
    # Two values may be one id: 1 and 01.
    once = found.dictionary_encode()
    codes = once.indices.to_numpy()[places]
    return pa.DictionaryArray.from_arrays(codes, once.dictionary)


def first_of_each(rows: RawRows, ids: pa.Array, what: str = "ad") -> None:
    """Refuses an ad, or another `what`, whose id an earlier kept row has."""
    kept = np.flatnonzero(rows.kept)
    codes = _codes(ids)[kept]
    _, first = np.unique(codes, return_index=True)
    repeated = np.zeros(len(rows), bool)
    repeated[np.delete(kept, first)] = True
    rows.refuse(repeated, f"{what} id repeats an earlier one")


def known_ads(
    rows: RawRows, ad_ids: pa.Array, catalogue: pa.Array
) -> pa.DictionaryArray:
    """Refuses rows on ads that the catalogue does not have.

    Returns:
      The ids as places in the catalogue; those of refused rows are any ad.
    """
    found = rows_of(ad_ids, catalogue)
    rows.refuse(found == 0, "ad id is not in the catalogue")
    places = np.maximum(found - 1, 0)
    return pa.DictionaryArray.from_arrays(places, catalogue, safe=False)


def labels(rows: RawRows, name: str) -> pa.Array:
    """Labels, int8: 0 or 1, Boolean values, or words for these, as `WORDS`."""
    column = _numbers(rows, name)
    missing = pc.is_null(column, nan_is_null=True)
    if pa.types.is_string(column.type):
        lowered = pc.utf8_lower(pc.utf8_trim_whitespace(column))
        missing = pc.or_(missing, pc.fill_null(pc.equal(lowered, ""), True))
        for true, words in WORDS.items():
            among = pc.is_in(lowered, value_set=pa.array(words))
            column = pc.if_else(among, "1" if true else "0", column)
    values = as_floats(column)
    zero_or_one = (values == 0) | (values == 1)
    rows.refuse(as_mask(missing), f"{name} has no label")
    rows.refuse(~zero_or_one, f"{name} is not 0 or 1")
    return pa.array(np.where(zero_or_one, values, 0).astype(np.int8))


def told_labels(
    rows: RawRows, positive: RowFilter, negative: RowFilter
) -> pa.Array:
    """Labels, int8, by conditions on a column that say which are 1 and 0.

    Args:
      rows: the rows.
      positive: the rows that are 1.
      negative: the rows that are 0, of the same column.
    """
    name = positive.column
    _plain(rows, name)
    ones, zeros = positive.wanted(rows), negative.wanted(rows)
    rows.refuse(ones & zeros, f"{name} is both positive and negative")
    rows.refuse(~(ones | zeros), f"{name} is neither positive nor negative")
    return pa.array(ones.astype(np.int8))


def positions(rows: RawRows, name: str) -> pa.Array:
    """Places in a slate, int64, 0 = top."""
    values = as_floats(_numbers(rows, name))
    good = (values >= 0) & (values < 2**31) & (values == np.floor(values))
    rows.refuse(~good, f"{name} is no integer from 0 on")
    return pa.array(np.where(good, values, 0).astype(np.int64))


def splits(rows: RawRows, name: str) -> pa.Array:
    """The published split of a row."""
    text = as_text(_plain(rows, name))
    known = pc.is_in(text, value_set=pa.array(SPLITS))
    rows.refuse(~as_mask(known), f"{name} is not train, valid or test")
    return text


def timestamps(
    rows: RawRows,
    name: str,
    time_format: str | None = None,
    timezone: str | None = None,
    unit: str | None = None,
) -> pa.Array:
    """Times, int64, UTC seconds from 1970 to 9999; fractions are cut off.

    A note says so where all of them lie in 1970, unless `unit` is s.

    Args:
      rows: the rows.
      name: the column; see `read_times`.
      time_format: how times are written, in the letters of `strptime`.
      timezone: the IANA name of the zone of times that state none; UTC if None.
      unit: of numbers; seconds if None.
    """
    seconds = read_times(
        _plain(rows, name),
        time_format,
        timezone,
        f"{name} of {rows.source}",
        unit,
    )
    missing = as_mask(pc.is_null(seconds))
    as_written = f" as {time_format!r}" if time_format else ""
    rows.refuse(missing, f"{name} is no time that can be read{as_written}")
    values = as_array(pc.fill_null(seconds, 0)).to_numpy()
    rows.refuse(
        (values < 0) | (values >= YEAR_10000),
        f"{name} is not in seconds from 1970 to 9999",
    )
    kept = values[rows.kept]
    if unit != "s" and len(kept) and kept.max() < _YEAR_1971:
        rows.doubts += (
            f"{rows.source}: all times of {name} lie in 1970. Where they are "
            "seconds since then, say `unit: s`; give the `format` of dates",
        )
    return pa.array(values)


def ends(
    rows: RawRows,
    name: str,
    time_format: str | None = None,
    timezone: str | None = None,
    unit: str | None = None,
) -> pa.Array:
    """Times as from `timestamps`, null where there is none.

    Args:
      rows: the rows.
      name: the column; see `read_times`.
      time_format: see `timestamps`.
      timezone: see `timestamps`.
      unit: see `timestamps`.
    """
    seconds, broken = read_ends(
        _plain(rows, name),
        time_format,
        timezone,
        f"{name} of {rows.source}",
        unit,
    )
    rows.refuse(broken, f"{name} is no time from 1970 to 9999")
    return seconds


def texts(rows: RawRows, name: str) -> pa.Array:
    """Text as it stands; a missing one is empty."""
    return as_text(_plain(rows, name))


def numbers(rows: RawRows, name: str) -> pa.Array:
    """Real labels, float64, finite also in single precision."""
    values = as_floats(_numbers(rows, name))
    good = _finite(values)
    rows.refuse(~good, f"{name} is no number within ±3.4e38")
    return pa.array(np.where(good, values, 0.0))


def weights(rows: RawRows, name: str) -> pa.Array:
    """Weights of rows, or counts, float64: finite and 0 or more."""
    values = as_floats(_numbers(rows, name))
    good = _finite(values) & (values >= 0)
    rows.refuse(~good, f"{name} is no number from 0 to 3.4e38")
    return pa.array(np.where(good, values, 0.0))


def lists(rows: RawRows, name: str, separator: str) -> pa.Array:
    """Lists of strings, see `as_lists`."""
    with _named(rows, name):
        return as_lists(rows[name], separator)


def _plain(rows: RawRows, name: str) -> pa.ChunkedArray:
    """A column that holds no lists and no other nested values.

    Raises:
      InputError: where it does.
    """
    column = rows[name]
    with _named(rows, name):
        require_plain(column.type)
    return column


def _numbers(rows: RawRows, name: str) -> pa.ChunkedArray:
    """A plain column, for who reads numbers in it."""
    _plain(rows, name)
    return rows.numbers(name)


@contextlib.contextmanager
def _named(rows: RawRows, name: str) -> Iterator[None]:
    """Says of errors which column of which file they are of."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{rows.source}: {name!r}: {error}") from error


def _finite(values: np.ndarray) -> np.ndarray:
    """Bool [n], True where a float64 is finite as a float32 as well."""
    with np.errstate(over="ignore"):
        return np.isfinite(values.astype(np.float32))


def _codes(values: pa.Array) -> np.ndarray:
    """int32 [n], equal where the values are equal, in order of appearance."""
    return values.dictionary_encode().indices.to_numpy()
