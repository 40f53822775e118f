"""Arrow columns of any type as text, numbers or lists."""

import decimal
import re
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.list_text import (
    LOOKS_LIKE_A_LIST,
    is_map,
    read_entries,
)


class _Chunks(Protocol):
    """A column in arrays that are had one after another, once or again."""

    type: pa.DataType

    def iterchunks(self) -> Iterator[pa.Array]:
        """The arrays; a column without rows may have none."""
        ...


Column: TypeAlias = pa.Array | pa.ChunkedArray | _Chunks

#: As files write numbers; `as_text` writes inf for what is too large.
_NUMBER = r"^\s*[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf)\s*$"
#: Dots between groups of three digits, and perhaps decimals after a comma. No
#: group stands after a leading zero: 0.125 has decimals.
_GROUPED = r"^\s*[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+(,[0-9]*)?\s*$"
_WITH_COMMA = r"^\s*[+-]?[0-9]*,[0-9]*([eE][+-]?[0-9]+)?\s*$"
#: What `with_decimal_points` makes a number of that is none without it.
_DECIMAL_COMMA = re.compile(
    r"[+-]?([0-9]*|[1-9][0-9]{0,2}(\.[0-9]{3})+),[0-9]+([eE][+-]?[0-9]+)?"
)


def as_text(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Any plain column as strings, a missing value as the empty one.

    Each value is spelled by itself, whatever else the column holds: 1.0 and
    1e16 with the digits that a column of integers has for them, and a float
    that is no number as missing.

    Raises:
      InputError: where the column holds lists or other nested values.
    """
    require_plain(column.type)
    if pa.types.is_floating(column.type):
        return _floats_as_text(as_array(column))
    if pa.types.is_decimal(column.type):
        return _decimals_as_text(as_array(column))
    return as_array(pc.fill_null(_cast(column, pa.string()), ""))


def _floats_as_text(column: pa.Array) -> pa.Array:
    # Ids that once met a missing value come as 17850.0.
    values = column.to_numpy(zero_copy_only=False).astype(np.float64)
    whole = (np.abs(values) < 2**63) & (values == np.floor(values))
    integers = pa.array(np.where(whole, values, 0).astype(np.int64))
    text = integers.cast(pa.string())
    if not whole.all():
        text = pc.if_else(pa.array(whole), text, _cast(column, pa.string()))
        # Floats as large as these are whole.
        long = np.isfinite(values) & (np.abs(values) >= 2**63)
        digits = [str(int(value)) for value in values[long].tolist()]
        text = pc.replace_with_mask(
            text, pa.array(long), pa.array(digits, pa.string())
        )
    return pc.if_else(pa.array(np.isnan(values)), "", text)


def _decimals_as_text(column: pa.Array) -> pa.Array:
    # A price of 5.00 is 5, and a column of many decimals has 0E-8 for 0.
    text = pc.fill_null(_cast(column, pa.string()), "")
    if pc.any(pc.match_substring(text, "E")).as_py():
        digits = [t and f"{decimal.Decimal(t):f}" for t in text.to_pylist()]
        text = pa.array(digits, pa.string())
    short = pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")
    return pc.if_else(pc.match_substring(text, "."), short, text)


def as_integers(text: pa.Array) -> pa.Array:
    """int64 [n], null where a text is no integer of 64 bits.

    A sign and leading zeros may stand before the digits, and nothing else.
    """
    plain = pc.match_substring_regex(text, r"^-?[0-9]{1,18}$")
    if not pc.all(plain).as_py():
        text = pc.replace_substring_regex(text, r"^\+([0-9])", r"\1")
        text = pc.replace_substring_regex(text, "^(-?)0+([0-9])", r"\1\2")
        plain = pc.match_substring_regex(text, r"^-?[0-9]{1,18}$")
        # Texts of equal length are in the order of the numbers.
        for digits, last in (
            (r"^[0-9]{19}$", "9223372036854775807"),
            (r"^-[0-9]{19}$", "-9223372036854775808"),
        ):
            long = pc.match_substring_regex(text, digits)
            plain = pc.or_(plain, pc.and_(long, pc.less_equal(text, last)))
    return pc.if_else(plain, text, None).cast(pa.int64())


def as_floats(column: pa.ChunkedArray) -> np.ndarray:
    """float64 [n], NaN where the column holds no number."""
    require_plain(column.type)
    if pa.types.is_temporal(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        if pa.types.is_decimal(column.type):
            # Arrow rounds a decimal to a float wrongly, and a text rightly.
            column = column.cast(pa.string())
        values = _cast(column, pa.float64())
        return values.to_numpy().astype(np.float64)
    number = pc.match_substring_regex(column, _NUMBER)
    values = pc.if_else(number, pc.utf8_trim_whitespace(column), None)
    values = pc.replace_substring_regex(values, r"^\+", "")
    return as_array(values.cast(pa.float64())).to_numpy(zero_copy_only=False)


def with_decimal_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts such as 1.234,5 as 1234.5; a column of other values as it is."""
    if not pa.types.is_string(column.type):
        return column
    grouped = pc.match_substring_regex(column, _GROUPED)
    column = pc.if_else(grouped, pc.replace_substring(column, ".", ""), column)
    one = pc.match_substring_regex(column, _WITH_COMMA)
    return pc.if_else(one, pc.replace_substring(column, ",", "."), column)


def has_decimal_comma(text: str) -> bool:
    """Whether a text is a number with a comma before its decimals."""
    return _DECIMAL_COMMA.fullmatch(text.strip()) is not None


def as_lists(
    column: pa.ChunkedArray,
    separator: str,
    *,
    keep_empty: bool = False,
    keep_missing: bool = False,
    stripped: bool = False,
    maps: bool = False,
) -> pa.Array:
    """Lists of strings without empty ones, from lists or from text.

    Args:
      column: [n], lists of plain values, or any plain column.
      separator: what stands between the entries in text, unless the text is a
        list in brackets; see `read_list`.
      keep_empty: whether to keep empty entries, so that two columns of lists
        stay side by side.
      keep_missing: whether to keep the missing entries of lists, as in
        [null, 1], as empty ones. Between two separators nothing is missing.
      stripped: whether to leave out blanks around the entries that a separator
        parts. Those of lists are as they stand, and so are ids.
      maps: whether text in braces is a map, as JSON or Python writes it, whose
        entries are `key:value`.

    Raises:
      InputError: where the column holds other nested values.
    """
    if is_list(column.type):
        inner = column.type.value_type
        require_plain(inner)
        # Numbers with decimals are spelled one by one.
        own = pa.types.is_floating(inner) or pa.types.is_decimal(inner)
        kind = inner if own else pa.string()
        values = as_array(_cast(column, pa.list_(kind)))
        filled = as_text(values.flatten())
    else:
        values = _lists_of_text(as_text(column), separator, stripped, maps)
        filled = pc.fill_null(values.flatten(), "")
    lengths = as_array(pc.fill_null(pc.list_value_length(values), 0)).to_numpy()
    real = as_mask(pc.not_equal(filled, ""))
    if keep_empty:
        real[:] = True
    elif keep_missing:
        real |= np.repeat(_are_lists(column), lengths)
    return lists_of(filled.filter(pa.array(real)), lengths, real)


def _are_lists(column: pa.ChunkedArray) -> np.ndarray:
    """Bool [n], True where a value is a list, or a text that looks like one."""
    if is_list(column.type):
        return np.ones(len(column), bool)
    return as_mask(pc.match_substring_regex(as_text(column), LOOKS_LIKE_A_LIST))


def _lists_of_text(
    text: pa.Array, separator: str, stripped: bool, maps: bool
) -> pa.Array:
    """The entries of texts; of the empty text there are none.

    What looks like a list is split only where it cannot be read.
    """
    values = _split(text, separator, stripped)
    written = as_mask(pc.match_substring_regex(text, LOOKS_LIKE_A_LIST))
    if not written.any():
        return values
    distinct = text.filter(pa.array(written)).dictionary_encode()
    entries = [
        read_entries(t, maps=maps) for t in distinct.dictionary.to_pylist()
    ]
    split = _split(distinct.dictionary, separator, stripped).to_pylist()
    lists = pa.array(
        [s if e is None else e for s, e in zip(split, entries, strict=True)],
        pa.list_(pa.string()),
    ).take(distinct.indices)
    places = np.where(written, np.cumsum(written) - 1 + len(text), 0)
    places[~written] = np.flatnonzero(~written)
    return pa.concat_arrays([values, lists]).take(pa.array(places))


def _split(text: pa.Array, separator: str, stripped: bool) -> pa.Array:
    """What stands between separators; nothing in the empty text."""
    values = pc.split_pattern(
        pc.if_else(pc.equal(text, ""), None, text), separator
    )
    if not stripped:
        return values
    trimmed = pc.utf8_trim_whitespace(values.values)
    return pa.ListArray.from_arrays(values.offsets, trimmed)


def are_maps(column: pa.ChunkedArray) -> np.ndarray:
    """Bool [n], True where a column of texts has a map with entries."""
    if is_list(column.type):
        return np.zeros(len(column), bool)
    text = as_text(column)
    found = as_mask(pc.match_substring(text, "{"))
    braced = text.filter(pa.array(found)).dictionary_encode()
    maps = [is_map(t) for t in braced.dictionary.to_pylist()]
    found[found] = np.array(maps, bool)[braced.indices.to_numpy()]
    return found


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
    return lists_of(flat.filter(pa.array(keep)), lengths, keep)


def lists_of(flat: pa.Array, lengths: np.ndarray, keep: np.ndarray) -> pa.Array:
    """Lists of `lengths`, with only the entries where `keep` is True."""
    ends = np.concatenate([[0], np.cumsum(keep)])
    offsets = ends[np.concatenate([[0], np.cumsum(lengths)])]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)


def rows_of(
    values: pa.Array | pa.ChunkedArray, known: np.ndarray | pa.Array
) -> np.ndarray:
    """1-based places of `values` in `known`, int32 [n], 0 where absent."""
    if len(known) == 0:
        return np.zeros(len(values), np.int32)
    if pa.types.is_dictionary(values.type):
        coded = as_codes(values)
        codes = coded.indices.to_numpy()
        if isinstance(known, pa.Array) and is_same(coded.dictionary, known):
            return (codes + 1).astype(np.int32, copy=False)
        return rows_of(coded.dictionary, known)[codes]
    known_values = known if isinstance(known, pa.Array) else pa.array(known)
    values = values.cast(known_values.type)
    found = pc.index_in(values, value_set=known_values)
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    places = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
    return (places + 1).astype(np.int32)


def as_codes(values: pa.Array | pa.ChunkedArray) -> pa.DictionaryArray:
    """Distinct values, and the place of each row's value among them.

    A column that is so already stays as it is; it may know values that no row
    has.
    """
    values = as_array(values)
    if pa.types.is_dictionary(values.type):
        return values
    return values.dictionary_encode()


def without_codes(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column with each row's value in its place."""
    values = as_array(values)
    if pa.types.is_dictionary(values.type):
        return values.dictionary_decode()
    return values


def distinct(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The values that rows have, each once."""
    coded = as_codes(values)
    has_rows = np.zeros(len(coded.dictionary), bool)
    has_rows[coded.indices.to_numpy()] = True
    return coded.dictionary.filter(pa.array(has_rows))


def is_same(values: pa.Array, others: pa.Array) -> bool:
    """Whether two arrays lie in the same memory, so that they are equal."""
    if (len(values), values.offset) != (len(others), others.offset):
        return False
    pairs = zip(values.buffers(), others.buffers(), strict=False)
    return values.type == others.type and all(
        (one and one.address) == (two and two.address) for one, two in pairs
    )


def as_mask(values) -> np.ndarray:
    """Bool [n] in NumPy."""
    return as_array(values).to_numpy(zero_copy_only=False).astype(bool)


def chunks_of(column: Column) -> Iterable[pa.Array]:
    """The arrays that a column is made of."""
    return [column] if isinstance(column, pa.Array) else column.iterchunks()


def as_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array, where there were chunks; of one chunk no copy is made."""
    if not isinstance(values, pa.ChunkedArray):
        return values
    if values.num_chunks == 1:
        return values.chunk(0)
    return values.combine_chunks()


def _cast(
    column: pa.ChunkedArray | pa.Array, kind: pa.DataType
) -> pa.ChunkedArray | pa.Array:
    """The column as another type, numbers rounded where they have to be.

    Raises:
      InputError: where Arrow cannot do that.
    """
    try:
        return column.cast(kind, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"a column must hold texts, numbers or times. Received: a column "
            f"of {column.type}, which cannot be read as {kind} "
            f"({' '.join(str(error).split())[:200]}). Name another column, or "
            "convert it."
        ) from error


def require_plain(kind: pa.DataType) -> None:
    """Refuses columns of lists and other nested values."""
    if pa.types.is_nested(kind):
        raise InputError(
            "a column must hold texts, numbers or times, or for tags and "
            f"histories lists of these. Received: a column of {kind}. Name "
            "another column."
        )


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is that of lists."""
    return (
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
    )
