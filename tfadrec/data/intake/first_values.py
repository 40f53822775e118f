"""One row out of all rows of an ad or a user."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import as_array, as_mask, is_list


def first_values(table: pa.Table, key: str) -> tuple[pa.Table, dict[str, int]]:
    """The first value of each column for each key, and where rows disagree.

    Empty texts and lists are no values, where there is another one.

    Args:
      table: [n] rows.
      key: the column whose distinct values are wanted.

    Returns:
      One row for each, in the order in which they appear, and for each column
      whose rows of one key give unlike values the number of such keys.
    """
    codes = table[key].combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    columns, apart = {}, {}
    for name in table.column_names:
        column = as_array(table[name])
        given = np.flatnonzero(_given(column))
        found, at = np.unique(codes[given], return_index=True)
        rows = first.copy()
        rows[found] = given[at]
        columns[name] = column.take(pa.array(rows))
        if pa.types.is_nested(column.type):  # Arrow does not compare these
            continue
        values = column.take(pa.array(given))
        firsts = column.take(pa.array(rows[codes[given]]))
        differs = as_mask(pc.not_equal(values, firsts))
        if differs.any():
            apart[name] = len(np.unique(codes[given][differs]))
    return pa.table(columns), apart


def _given(column: pa.Array) -> np.ndarray:
    """Bool [n], True where there is a value."""
    kind = column.type
    if pa.types.is_string(kind):
        return as_mask(pc.fill_null(pc.not_equal(column, ""), False))
    if is_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        return lengths.to_numpy() > 0
    if pa.types.is_map(kind):
        return np.diff(column.offsets.to_numpy()) > 0
    return as_mask(column.is_valid())
