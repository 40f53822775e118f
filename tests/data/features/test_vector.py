import dataclasses
import math

import numpy as np
import pyarrow as pa
import pytest
from data.features.reading import decode, describe, encode, parse

from tfadrec.core.errors import InputError


@pytest.mark.parametrize(
    ("values", "kind", "separator"),
    [
        ([[1.0, 2.0], [3.0, 4.0], None, []], None, " "),
        ([[1, 2], [3, 4], None, []], pa.list_(pa.int16()), " "),
        (["1 2", "3 4.0", None, ""], None, " "),
        (["1;2", "3;+4", None, ""], None, ";"),
    ],
)
def test_vectors(values, kind, separator):
    column, broken = parse("vector", values, kind, separator)
    assert column.to_pylist() == [[1.0, 2.0], [3.0, 4.0], None, None]
    assert not broken.any()
    feature = describe("vector", column)
    assert feature.width == 2
    vectors = encode(column, feature)["x"]
    assert vectors.tolist() == [[1, 2], [3, 4], [0, 0], [0, 0]]
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(decode({"x": vectors}, feature)["x"], vectors)


def test_vectors_that_cannot_be_read():
    column, broken = parse(
        "vector",
        [[1.0, 2.0], [1.0], [math.nan, 1.0], [1e39, 1.0], [3.0, 4.0]],
    )
    assert column.to_pylist() == [[1.0, 2.0], None, None, None, [3.0, 4.0]]
    assert broken.tolist() == [False, True, True, True, False]


NONE = [None, [3.0, 4.0], [5.0, 6.0]]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[None, 1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], None),
        ([[None, 1, 2], [3, 4], [5, 6]], pa.list_(pa.int64())),
        ([[None, "1", "2"], ["3", "4"], ["5", "6"]], None),
        (["[null, 1, 2]", "[3, 4]", "[5, 6]"], None),
        (["[1, NaN, 2]", "[3, 4]", "[5, 6]"], None),
        (["array([1., nan, 2.])", "[3. 4.]", "[5. 6.]"], None),
        (["(1, None, 2)", "(3, 4)", "(5, 6)"], None),
        (["null 1 2", "3 4", "5 6"], None),
    ],
)
def test_a_number_that_is_missing(values, kind):
    """Whatever stands around it, the vector is no shorter for it."""
    column, broken = parse("vector", values, kind)
    assert column.to_pylist() == NONE
    assert broken.tolist() == [True, False, False]


def test_nothing_between_separators_is_no_number():
    column, broken = parse("vector", ["1  2 ", "3 4"])
    assert column.to_pylist() == [[1.0, 2.0], [3.0, 4.0]]
    assert not broken.any()


def test_a_vector_with_a_missing_number_counts_as_missing():
    """As in a request; its other numbers alone would be another vector."""
    known, _ = parse("vector", [[1.0, 2.0]])
    values = [[None, 1.0], [math.inf, 1.0], [1e39, 1.0], [3.0, 4.0]]
    column = pa.array(values, pa.list_(pa.float64()))
    vectors = encode(column, describe("vector", known))["x"]
    assert vectors.tolist() == [[0, 0], [0, 0], [0, 0], [3, 4]]


def test_a_column_of_fixed_size():
    values = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2.0, 3.0]), 3)
    column, broken = parse("vector", values)
    assert (column.to_pylist(), broken.tolist()) == ([[1, 2, 3]], [False])


def test_a_column_without_a_vector():
    column, _ = parse("vector", [None, []], pa.list_(pa.float32()))
    with pytest.raises(InputError, match="a vector column must hold vectors"):
        describe("vector", column)


def test_vectors_of_another_width():
    column, _ = parse("vector", [[1.0, 2.0]])
    feature = dataclasses.replace(describe("vector", column), width=3)
    with pytest.raises(
        InputError, match=r"must have 3 floats. Received: 2 in 1 rows"
    ):
        encode(column, feature)
