"""Maps from texts to numbers, as columns."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.columns import (
    as_array,
    as_floats,
    as_lists,
    as_text,
    is_list,
    lists_of,
)

MAP = pa.map_(pa.string(), pa.float64())
UNREADABLE = "hold entries that are no `key:number`, which are left out"
MEND = (
    "Write entries as `key:number`, with a point before decimals, and name the "
    "`separator` between them"
)


def parse(
    column: pa.ChunkedArray, separator: str
) -> tuple[pa.Array, np.ndarray]:
    """Maps out of a column of maps, or of texts such as `sports:3 books:1`.

    A text may also be a map as JSON or Python writes it, `{"sports": 3}`.

    Args:
      column: [n].
      separator: what stands between the entries of a text.

    Returns:
      Maps [n], empty where there is none, and bool [n], True where an entry
      cannot be read; it is left out.
    """
    if pa.types.is_map(column.type):
        _require_plain(column.type)
        maps = as_array(column)
        sizes, at = lengths(maps), _places(maps)
        keys = as_text(maps.keys.take(at))
        values = as_floats(pa.chunked_array([maps.items.take(at)]))
    else:
        lists = as_lists(column, separator, stripped=True, maps=True)
        sizes = pc.list_value_length(lists).to_numpy()
        parts = pc.extract_regex(
            lists.flatten(), r"^(?P<key>(?s:.*)):(?P<value>[^:]*)$"
        )
        keys = pc.fill_null(pc.struct_field(parts, "key"), "")
        values = as_floats(
            pa.chunked_array(
                [pc.fill_null(pc.struct_field(parts, "value"), "")]
            )
        )
    keep = np.isfinite(values)
    keep &= pc.not_equal(keys, "").to_numpy(zero_copy_only=False)
    parents = np.repeat(np.arange(len(sizes)), sizes)
    broken = np.bincount(parents[~keep], minlength=len(sizes)) > 0
    offsets = lists_of(keys.filter(pa.array(keep)), sizes, keep).offsets
    made = pa.MapArray.from_arrays(
        offsets, keys.filter(pa.array(keep)), pa.array(values[keep])
    )
    return made, broken


def keys(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The keys of a column of maps, as a column of lists."""
    _require_plain(column.type)
    column = as_array(column)
    sizes = lengths(column)
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    found = column.keys.take(_places(column))
    return pa.chunked_array([pa.ListArray.from_arrays(offsets, found)])


def _require_plain(kind: pa.MapType) -> None:
    if pa.types.is_nested(kind.key_type) or pa.types.is_nested(kind.item_type):
        raise InputError(
            "a map must lead from texts to numbers. Received: a column of "
            f"{kind}. Name another column."
        )


def entries(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The keys of all maps, one after another, and their numbers.

    Of a column of lists the values are the keys, and there are no numbers.
    """
    if not pa.types.is_map(column.type):
        return column.flatten(), np.zeros(0)
    at = _places(column)
    numbers = column.items.take(at).cast(pa.float64())
    return column.keys.take(at), numbers.to_numpy(zero_copy_only=False)


def _places(column: pa.Array) -> pa.Array:
    """Where the entries of maps lie among their keys and their items.

    What a null map spans, and what lies before a slice, is no entry.
    """
    sizes = lengths(column)
    starts = np.repeat(column.offsets.to_numpy()[:-1], sizes)
    steps = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return pa.array(starts + steps)


def texts(column: pa.Array) -> pa.Array:
    """The texts of a column, of lists and maps those of all entries."""
    listed = pa.types.is_map(column.type) or is_list(column.type)
    return (entries(column)[0] if listed else column).cast(pa.string())


def numbers(column: pa.Array) -> np.ndarray:
    """The numbers of a column or of its maps, float64, nan where missing."""
    if pa.types.is_map(column.type):
        return entries(column)[1]
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)


def lengths(column: pa.Array) -> np.ndarray:
    """The number of entries of each list or map, int64 [n]; 0 for a null."""
    if pa.types.is_map(column.type):
        sizes = np.diff(column.offsets.to_numpy())
        missing = column.is_null().to_numpy(zero_copy_only=False)
        return np.where(missing, 0, sizes).astype(np.int64)
    return pc.fill_null(pc.list_value_length(column), 0).to_numpy()


def padded(
    column: pa.Array, values: np.ndarray, width: int, keep: np.ndarray
) -> np.ndarray:
    """One value per entry of lists or maps as a matrix, filled up with 0.

    Args:
      column: [n] lists or maps.
      values: one for each entry of all lists, in their order.
      width: how many are kept of each list, the first ones.
      keep: bool, one for each entry; the others take no place.

    Returns:
      [n, width].
    """
    parents = np.repeat(np.arange(len(column)), lengths(column))
    sizes = np.bincount(parents[keep], minlength=len(column))
    values = values[keep]
    starts = np.cumsum(sizes) - sizes
    steps = np.arange(width)
    real = steps < sizes[:, None]
    at = np.where(real, starts[:, None] + steps, 0)
    if not len(values):
        return np.zeros((len(column), width), values.dtype)
    return np.where(real, values[at], 0).astype(values.dtype)
