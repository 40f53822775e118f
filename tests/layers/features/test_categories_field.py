"""Means of embeddings, by hand. Row i of the embedding is [10 i, 10 i + 1]."""

import numpy as np
import pytest

from tests.layers.features import specs
from tfadrec.core.door import tf


def categories(**fields):
    given = {"num_codes": 6, "width": 3, **fields}
    return specs.spec("tags", "categories", **given)


def test_columns():
    assert specs.make(categories())[0].columns(categories()) == {
        "tags": ([3], "int32")
    }
    weighted = categories(weighted=True)
    assert specs.make(weighted)[0].columns(weighted) == {
        "tags": ([3], "int32"),
        "tags_weights": ([3], "float32"),
    }


@pytest.mark.parametrize(
    ("codes", "first"),
    [
        ([1, 0, 0], 10),
        ([1, 2, 0], 15),  # the mean of 10 and 20
        ([2, 2, 5], 30),  # a value that comes twice counts twice
        ([0, 4, 0], 40),  # wherever the padding stands
        ([0, 0, 0], 0),  # nothing: code 0, whose row is [0, 1]
    ],
)
def test_means(codes, first):
    field, _ = specs.make(categories())
    specs.fill(field)
    found = field({"tags": tf.constant([[codes]])})
    np.testing.assert_allclose(found, [[[first, first + 1]]])


@pytest.mark.parametrize(
    ("codes", "weights", "expected"),
    [
        ([1, 2, 0], [1.0, 3.0, 0.0], [17.5, 18.5]),
        # What is unknown has no weight.
        ([1, 0, 2], [1.0, 9.0, 1.0], [15, 16]),
        # (2 [10, 11] - 1 [50, 51]) / 3
        ([1, 5, 0], [2.0, -1.0, 0.0], [-10, -29 / 3]),
        # No weight at all, no known value, nothing: row 0.
        ([1, 2, 0], [0.0, 0.0, 0.0], [0, 1]),
        ([0, 0, 0], [5.0, 0.0, 0.0], [0, 1]),
        ([0, 0, 0], [0.0, 0.0, 0.0], [0, 1]),
    ],
)
def test_weighted_means(codes, weights, expected):
    field, _ = specs.make(categories(weighted=True))
    specs.fill(field)
    columns = {
        "tags": tf.constant([codes]),
        "tags_weights": tf.constant([weights]),
    }
    np.testing.assert_allclose(field(columns), [expected], rtol=1e-6)


def test_an_event_has_a_list_of_its_own():
    field, _ = specs.make(categories())
    table = specs.fill(field)
    codes = np.random.default_rng(0).integers(1, 6, (2, 4, 3))
    found = field({"tags": tf.constant(codes, tf.int32)})
    np.testing.assert_allclose(found, table[codes].mean(2), rtol=1e-6)


@pytest.mark.parametrize(("codes", "is_sparse"), [(2048, False), (2049, True)])
def test_gradients(codes, is_sparse):
    """A value has its share of them; padding has none unless all is empty."""
    field, _ = specs.make(categories(num_codes=codes))
    with tf.GradientTape() as tape:
        found = field({"tags": tf.constant([[7, 3, 0], [0, 0, 0]])})
        total = tf.reduce_sum(found * [[1.0], [4.0]])
    gradient = tape.gradient(total, field.table)
    assert isinstance(gradient, tf.IndexedSlices) == is_sparse
    expected = np.zeros((codes, 2))
    expected[[7, 3, 0]] = [[0.5, 0.5], [0.5, 0.5], [4, 4]]
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected)
