"""Probabilities from logits against NumPy in float64."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.ops import probability


def expected_logit(a, b):
    """In float64; with 40 or less, 1 - p keeps its digits."""
    odds = np.exp(-a) + np.exp(-b) + np.exp(-a - b)  # (1 - p) / p
    return -np.log(odds)


def test_the_product_of_two_probabilities():
    a, b = np.random.default_rng(0).normal(0, 4, (2, 50))
    found = probability.logit_of_product(tf.constant(a), tf.constant(b))
    assert found.dtype == tf.float32
    product = 1 / (1 + np.exp(-a)) * 1 / (1 + np.exp(-b))
    np.testing.assert_allclose(
        found, np.log(product) - np.log1p(-product), rtol=1e-5, atol=1e-6
    )


def test_by_hand():
    # 1/2 * 1/2 = 1/4, whose odds are 1 : 3.
    found = probability.logit_of_product(tf.constant(0.0), tf.constant(0.0))
    assert float(found) == pytest.approx(-np.log(3))
    # 3/4 * 2/3 = 1/2.
    found = probability.logit_of_product(
        tf.constant(np.log(3.0)), tf.constant(np.log(2.0))
    )
    assert float(found) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("a", [-1e30, -1e4, -40.0, -1.0, 40.0, 1e4, 1e30])
@pytest.mark.parametrize("b", [-1e30, -1e4, -40.0, 2.0, 40.0, 1e4, 1e30])
def test_extreme_logits(a, b):
    """Far out, the logit is a + b or the smaller one, up to log 2."""
    x, y = tf.constant(a), tf.constant(b)
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        found = probability.logit_of_product(x, y)
    lowest = min(a, b, a + b)
    assert float(found) == pytest.approx(lowest, rel=1e-6, abs=1.1)
    # d/da = 1 - sigmoid(a) over 1 - p: the share of exp(-a) and exp(-a - b).
    shares = np.exp(lowest - np.array([a, b, a + b]))
    for gradient, own in zip(tape.gradient(found, [x, y]), (0, 1), strict=True):
        share = (shares[own] + shares[2]) / shares.sum()
        assert float(gradient) == pytest.approx(share, abs=1e-5)


def test_moderate_logits_keep_their_digits():
    grid = np.linspace(-40, 40, 41)
    a, b = (part.ravel() for part in np.meshgrid(grid, grid))
    found = probability.logit_of_product(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(
        found, expected_logit(a, b), rtol=1e-6, atol=1e-6
    )


def test_half_precision_is_worked_out_in_float32():
    a = tf.constant([8.0, -8.0], tf.float16)
    found = probability.logit_of_product(a, a)
    assert found.dtype == tf.float32
    exact = expected_logit(np.array([8.0, -8.0]), np.array([8.0, -8.0]))
    np.testing.assert_allclose(found, exact, rtol=1e-6)
