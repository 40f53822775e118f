"""MaskNet against its formula."""

import numpy as np
import pytest

from tests.layers.interaction.weights import filled, normal, relu
from tfadrec.layers import MaskNet


def layer_norm(x, gamma, beta):
    mean = x.mean(-1, keepdims=True)
    variance = x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-6) * gamma + beta


def test_the_formula():
    layer = MaskNet(2, 3, reduction=1.6)
    w = filled(layer, [1, 5])
    assert w["inner_0/kernel"].shape == (5, 8)
    x = normal(4, 2, 5)
    normed = layer_norm(x, w["norm/gamma"], w["norm/beta"])
    expected = []
    for i in range(2):
        inner = relu(x @ w[f"inner_{i}/kernel"] + w[f"inner_{i}/bias"])
        mask = inner @ w[f"mask_{i}/kernel"] + w[f"mask_{i}/bias"]
        outer = (mask * normed) @ w[f"outer_{i}/kernel"]
        norm = layer_norm(outer, w[f"norm_{i}/gamma"], w[f"norm_{i}/beta"])
        expected.append(relu(norm))
    np.testing.assert_allclose(
        layer(x), np.concatenate(expected, -1), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    "arguments", [{"num_blocks": 0}, {"units": 0}, {"reduction": 0.0}]
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"must be >= 1.*Received: num_blocks"):
        MaskNet(**arguments)
