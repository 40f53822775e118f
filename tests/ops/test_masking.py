"""Masked softmax and mean against NumPy."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.ops import masking


def test_softmax_over_the_real_entries():
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (4, 5)).astype(np.float32)
    mask = np.arange(5) < np.array([5, 3, 1, 0])[:, None]
    weights = masking.masked_softmax(tf.constant(logits), mask).numpy()
    expected = np.zeros([4, 5])
    for row in range(3):
        real = np.exp(logits[row][mask[row]])
        expected[row, mask[row]] = real / real.sum()
    np.testing.assert_allclose(weights, expected, rtol=1e-5)
    np.testing.assert_array_equal(weights[~mask], 0)


def test_softmax_by_hand_along_another_axis():
    # exp(log 3) : exp(0) = 3 : 1.
    logits = tf.constant([[np.log(3.0)], [0.0], [9.0]], tf.float32)
    mask = [[True], [True], [False]]
    weights = masking.masked_softmax(logits, mask, axis=0)
    np.testing.assert_allclose(weights, [[0.75], [0.25], [0]], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_softmax_of_large_and_of_masked_logits(dtype):
    logits = tf.cast([[3e4, 3e4, -3e4], [1, 2, 3]], dtype)
    mask = [[True, True, True], [False, False, False]]
    weights = masking.masked_softmax(logits, mask)
    assert weights.dtype == tf.float32
    np.testing.assert_allclose(weights, [[0.5, 0.5, 0], [0, 0, 0]])


def test_softmax_without_a_mask():
    weights = masking.masked_softmax(tf.zeros([2, 4]), None)
    np.testing.assert_allclose(weights, np.full([2, 4], 0.25))


def test_masked_nan_has_no_part_in_softmax_or_its_gradient():
    logits = tf.constant([[1.0, np.nan, 1.0]])
    mask = tf.constant([[True, False, True]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        weights = masking.masked_softmax(logits, mask)
        first = weights[0, 0]
    np.testing.assert_allclose(weights, [[0.5, 0, 0.5]])
    # d w_1 / d x_1 = w_1 (1 - w_1), d w_1 / d x_3 = -w_1 w_3.
    np.testing.assert_allclose(
        tape.gradient(first, logits), [[0.25, 0, -0.25]], atol=1e-7
    )


def test_mean_over_the_real_entries():
    values = tf.constant([[[1.0, 2.0], [3.0, 5.0], [np.nan, np.inf]]] * 2)
    mask = tf.constant([[[True], [True], [False]], [[False]] * 3])
    means = masking.masked_mean(values, mask, axis=1)
    # The mask is broadcast over D, but one real entry counts once.
    np.testing.assert_allclose(means, [[2, 3.5], [0, 0]])


def test_mean_without_a_mask_and_in_half_precision():
    values = tf.fill([1, 3], tf.constant(60000.0, tf.float16))
    means = masking.masked_mean(values, None, axis=1)
    assert means.dtype == tf.float32
    np.testing.assert_allclose(means, [60000], rtol=1e-3)


@pytest.mark.parametrize("pooling", masking.POOLINGS)
def test_pooling_the_real_entries(pooling):
    scores = np.random.default_rng(0).normal(-3, 1, (3, 2, 4))
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    garbled = np.where(mask[:, None], scores, [np.nan, np.inf, -np.inf, 99])
    expected = np.zeros([3, 2])
    for row, column in np.ndindex(2, 2):
        real = scores[row, column, mask[row]]
        expected[row, column] = {"mean": np.mean, "sum": sum, "max": max}[
            pooling
        ](real)
    pooled = masking.pool(
        tf.constant(garbled, tf.float32), mask[:, None], pooling
    )
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)


@pytest.mark.parametrize("pooling", masking.POOLINGS)
def test_pooling_nothing(pooling):
    pooled = masking.pool(
        tf.zeros([2, 3, 0]), tf.zeros([2, 1, 0], tf.bool), pooling
    )
    np.testing.assert_array_equal(pooled, np.zeros([2, 3]))


def test_padding_is_zeroed_with_its_gradient():
    vectors = tf.constant([[[1.0, 2.0], [np.nan, 3.0]], [[4.0, 5.0]] * 2])
    mask = tf.constant([[True, False], [False, True]])
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        zeroed = masking.zero_padding(vectors, mask)
    np.testing.assert_array_equal(zeroed, [[[1, 2], [0, 0]], [[0, 0], [4, 5]]])
    gradient = tape.gradient(zeroed, vectors, tf.fill([2, 2, 2], 7.0))
    np.testing.assert_array_equal(
        gradient, [[[7, 7], [0, 0]], [[0, 0], [7, 7]]]
    )
