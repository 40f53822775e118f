"""FM against the sum over pairs."""

import itertools

import numpy as np

from tests.layers.interaction.weights import normal
from tfadrec.core.door import tf
from tfadrec.layers import FM


def test_the_sum_over_pairs():
    fields = normal(2, 3, 4, 5)
    expected = sum(
        fields[:, :, i] * fields[:, :, j]
        for i, j in itertools.combinations(range(4), 2)
    )
    np.testing.assert_allclose(FM()(fields), expected, rtol=1e-4, atol=1e-5)
    # A single field has no pair.
    np.testing.assert_allclose(FM()(fields[:, :, :1]), 0 * expected, atol=1e-6)


def test_squares_of_sums_in_half_precision():
    # (15 * 20)^2 = 90,000 is no number of half precision, 105 pairs of 400 are.
    products = FM(dtype="mixed_float16")(tf.fill([1, 15, 2], 20.0))
    assert products.dtype == tf.float16
    np.testing.assert_allclose(products, [[42000, 42000]], rtol=1e-3)
