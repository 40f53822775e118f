"""Gathering rows, and the gradient that sums them back."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.ops import lookup, xla


@pytest.mark.parametrize("shape", [(), (3,), (16,), (33,), (2, 5)])
@pytest.mark.parametrize("jit", [False, True])
def test_values_and_gradient_against_a_loop(shape, jit):
    random = np.random.default_rng(0)
    table = random.normal(size=(6, *shape)).astype(np.float32)
    rows = np.array([[1, 2, 2], [5, 0, 2]], np.int32)
    upstream = random.normal(size=(2, 3, *shape)).astype(np.float32)
    expected = np.zeros_like(table)
    for place in np.ndindex(rows.shape):
        expected[rows[place]] += upstream[place]

    @tf.function(jit_compile=jit)
    def values_and_gradient(table):
        with tf.GradientTape() as tape:
            tape.watch(table)
            values = lookup.gather_rows(table, rows)
        return values, tape.gradient(values, table, upstream)

    values, gradient = values_and_gradient(tf.constant(table))
    np.testing.assert_array_equal(values, table[rows])
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


def test_no_rows():
    sums = lookup.sum_rows(tf.zeros([0, 3]), tf.zeros([0], tf.int32), 2)
    np.testing.assert_array_equal(sums, np.zeros([2, 3]))


def test_half_precision_is_summed_in_float32():
    # In bfloat16, 256 + 1 is 256 again.
    values = tf.ones([1024, 1], tf.bfloat16)
    sums = lookup.sum_rows(values, tf.zeros([1024], tf.int32), 1)
    np.testing.assert_array_equal(sums, [[1024]])


def test_the_order_of_summing_does_not_change():
    random = np.random.default_rng(0)
    values = tf.constant(random.normal(size=(20000, 40)), tf.float32)
    places = tf.constant(random.integers(0, 7, 20000), tf.int32)
    first = lookup.sum_rows(values, places, 7)
    for _ in range(5):
        np.testing.assert_array_equal(lookup.sum_rows(values, places, 7), first)


def test_knowing_xla():
    assert not xla.is_compiling()
    for jit in (False, True):
        seen = []

        @tf.function(jit_compile=jit)
        def function(x):
            seen.append(xla.is_compiling())  # noqa: B023
            return x

        function(tf.zeros([]))
        assert seen == [jit]


@pytest.mark.parametrize("by_xla", [False, True])
@pytest.mark.parametrize("rows", [[4, 0, 4, 2, 0, 4], [3], [1, 1], []])
def test_distinct_rows(rows, by_xla):
    found, places = tf.function(
        lambda rows: lookup.distinct(rows, 5), jit_compile=by_xla
    )(tf.constant(rows, tf.int32))
    np.testing.assert_array_equal(tf.gather(found, places), rows)
    count = len(set(rows))
    assert set(found[:count].numpy()) == set(rows)
    # XLA has room for all that there could be, filled up with row 0.
    room = min(len(rows), 5) if by_xla else count
    assert found.shape == [room]
    assert not found[count:].numpy().any()


def test_rows_of_a_table_in_parts():
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    parts = [tf.Variable(values[:3]), tf.Variable(values[3:])]
    table = tf.__internal__.distribute.ShardedVariable(parts)
    rows = tf.constant([[4, 0], [4, 1]])
    with tf.GradientTape() as tape:
        found = lookup.rows_of(table, rows)
    np.testing.assert_array_equal(found, values[rows.numpy()])
    first, second = tape.gradient(found, parts)
    # Each part hears of its own rows alone, counted from its first one.
    assert sorted(first.indices.numpy()) == [0, 1]
    assert list(second.indices.numpy()) == [1, 1]
