"""Columns of values and codes."""

import decimal

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


@pytest.mark.parametrize(
    "value", [0, -5, 2**53, 2**53 + 2, 10**16, 2**62, 2**63, -(2**63), 10**22]
)
def test_a_whole_float_is_spelled_as_an_integer(value):
    """The same id is one, in a column of floats, of integers and in lists."""
    spelled = [str(value)]
    floats = pa.array([float(value)])
    assert columns.as_text(floats).to_pylist() == spelled
    lists = pa.chunked_array([[[float(value)]], [None]])
    assert columns.as_lists(lists, " ").to_pylist() == [spelled, []]
    whole = pa.array([value], pa.decimal128(25, 2))
    assert columns.as_text(whole).to_pylist() == spelled


def test_lists_of_nothing():
    """As Parquet has them where no list of a column has a value."""
    nothing = pa.array([[None, None], [], None], pa.list_(pa.null()))
    for column in (nothing, pa.chunked_array([nothing, nothing])):
        found = columns.as_lists(column, " ")
        assert found.to_pylist() == [[]] * len(column)


def test_floats_that_are_not_whole():
    values = [0.5, 1e-7, float("inf"), -float("inf"), float("nan"), None, 1e300]
    assert columns.as_text(pa.array(values)).to_pylist() == [
        *("0.5", "1e-7", "inf", "-inf", "", "", str(int(1e300))),
    ]


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        ("5.00", 2, "5"),
        ("-0.50", 2, "-0.5"),
        ("100", 0, "100"),
        ("0", 8, "0"),
        ("0.00000001", 8, "0.00000001"),
        ("12000", -3, "12000"),
    ],
)
def test_decimals(value, scale, text):
    """As texts without zeros that say nothing, and as the nearest floats."""
    kind = pa.decimal128(20, scale)
    column = pa.chunked_array([pa.array([decimal.Decimal(value), None], kind)])
    assert columns.as_text(column).to_pylist() == [text, ""]
    found = columns.as_floats(column)
    assert found[0] == float(value)
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    "text", ["0,5", ",5", "-1.234,5", "+7,25", " 0,13 ", "1,5e3", "12.345,0"]
)
def test_what_has_a_decimal_comma(text):
    """It is a number once the comma is a point, and not before."""
    assert columns.has_decimal_comma(text)
    column = pa.chunked_array([[text]])
    assert np.isnan(columns.as_floats(column)).all()
    column = columns.with_decimal_points(column)
    assert np.isfinite(columns.as_floats(column)).all()


@pytest.mark.parametrize(
    "text", ["", "free", "5", "0.5", "a,b", "1,2,3", ",", "1,", "5,-", "0,5 €"]
)
def test_what_has_no_decimal_comma(text):
    assert not columns.has_decimal_comma(text)


def test_a_decimal_is_the_nearest_float():
    random = np.random.default_rng(0)
    values = random.integers(0, 10**9, 1000)
    column = pa.chunked_array(
        [
            pa.array(
                [decimal.Decimal(int(v)) / 10**4 for v in values],
                pa.decimal128(20, 4),
            )
        ]
    )
    # Division rounds to the nearest float.
    np.testing.assert_array_equal(columns.as_floats(column), values / 10**4)
