"""DotInteraction against the products of pairs."""

import numpy as np
import pytest

from tests.layers.interaction.weights import normal
from tfadrec.core.door import tf
from tfadrec.layers import DotInteraction


def test_the_products_of_pairs():
    fields = normal(2, 3, 4, 5)
    order = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    expected = np.zeros([2, 3, 6])
    for place in np.ndindex(2, 3):
        for number, (i, j) in enumerate(order):
            expected[place][number] = fields[place][i] @ fields[place][j]
    found = DotInteraction()(fields)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_one_field():
    with pytest.raises(ValueError, match=r"at least two.*Received: inputs of"):
        DotInteraction()(tf.zeros([2, 1, 3]))
