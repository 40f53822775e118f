"""FM against the sum over pairs."""

import itertools

import numpy as np

from tests.layers.interaction.weights import normal
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
