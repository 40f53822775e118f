"""The gated cross network against its formula."""

import numpy as np
import pytest

from tests.layers.interaction.weights import filled, normal, sigmoid
from tfadrec.layers import GDCN


def test_the_formula():
    layer = GDCN(2)
    weights = filled(layer, [1, 5])
    x = normal(4, 3, 5)
    crossed = x
    for i in range(2):
        product = crossed @ weights[f"cross_{i}/kernel"]
        gate = sigmoid(crossed @ weights[f"gate_{i}/kernel"])
        crossed = x * (product + weights[f"cross_{i}/bias"]) * gate + crossed
    np.testing.assert_allclose(layer(x), crossed, rtol=1e-4, atol=1e-5)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"must be >= 1\. Received: num_l"):
        GDCN(0)
