"""Columns of values and codes."""

import numpy as np
import pyarrow as pa
import pytest

from tfadrec.data import columns


def _coded(indices, values):
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, pa.int32()), pa.array(values)
    )


#: The last dictionary has a value that no row has.
_SAME = (
    pa.array(["c", "a", "c", "b"]),
    pa.chunked_array([["c", "a"], ["c", "b"]]),
    pa.chunked_array([_coded([0, 1], "ca"), _coded([1, 0], "bc")]),
    _coded([2, 0, 2, 3], ["a", "unused", "c", "b"]),
)


@pytest.mark.parametrize("column", _SAME)
def test_coded_or_not_a_column_says_the_same(column):
    """Places and distinct values are those of values."""
    known = np.array(["b", "c"], object)
    assert columns.rows_of(column, known).tolist() == [2, 0, 2, 1]
    assert columns.rows_of(column, pa.array(known)).tolist() == [2, 0, 2, 1]
    assert sorted(columns.distinct(column).to_pylist()) == ["a", "b", "c"]
    assert columns.without_codes(column).equals(pa.array(["c", "a", "c", "b"]))


def test_a_column_without_rows_has_no_values():
    """Neither coded nor plain."""
    for column in (pa.array([], pa.string()), _coded([], ["a"])):
        assert columns.rows_of(column, np.array(["a"], object)).tolist() == []
        assert columns.distinct(column).to_pylist() == []
