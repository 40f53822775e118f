"""A category's embedding."""

import numpy as np
import pytest

from tests.layers.features import specs
from tfadrec.core.door import tf


def category(codes):
    return specs.spec("brand", "category", num_codes=codes)


def test_columns():
    field, _ = specs.make(category(4))
    assert field.columns(field.feature) == {"brand": ([], "int32")}


@pytest.mark.parametrize("codes", [5, 2049])
def test_rows_of_the_embedding(codes):
    field, _ = specs.make(category(codes))
    table = specs.fill(field)
    rows = np.array([[4, 0], [1, 4]])
    found = field({"brand": tf.constant(rows, tf.int32)})
    np.testing.assert_array_equal(found, table[rows])
    np.testing.assert_array_equal(field.missing, table[0])


@pytest.mark.parametrize("initializer", ["uniform", "ones"])
def test_code_0_starts_at_zero_and_the_others_do_not(initializer):
    field, table = specs.make(category(50), 4, initializer)
    assert field.table.trainable
    np.testing.assert_array_equal(table[0], np.zeros(4))
    assert (table[1:] != 0).all()
    assert field.size == 4


@pytest.mark.parametrize(("codes", "is_sparse"), [(2048, False), (2049, True)])
def test_the_gradient_of_a_large_embedding_is_sparse(codes, is_sparse):
    """So a step costs what it reads; also of what is dropped."""
    field, _ = specs.make(category(codes))
    with tf.GradientTape() as tape:
        found = field({"brand": tf.constant([7, 7, 3])})
        total = tf.reduce_sum(found * [[1.0], [2.0], [4.0]])
        total += tf.reduce_sum(field.missing) * 8
    gradient = tape.gradient(total, field.table)
    assert isinstance(gradient, tf.IndexedSlices) == is_sparse
    expected = np.zeros((codes, 2))
    expected[[7, 3, 0]] = [[3, 3], [4, 4], [8, 8]]
    np.testing.assert_array_equal(tf.convert_to_tensor(gradient), expected)


def test_a_borrowed_embedding_is_the_owners():
    owner, _ = specs.make(category(4), 3)
    table = specs.fill(owner)
    field = type(owner)(category(4), 2, name="other")
    field.borrow(lambda: owner.table)
    field.build(None)
    assert field.weights == []
    assert field.size == 3  # that of the owner
    np.testing.assert_array_equal(
        field({"brand": tf.constant([2])}), table[[2]]
    )
