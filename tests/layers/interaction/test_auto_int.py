"""AutoInt against its formula, field by field."""

import numpy as np
import pytest

from tests.layers.interaction.weights import filled, normal, relu, softmax
from tfadrec.core.door import tf
from tfadrec.layers import AutoInt


def test_the_formula():
    layer = AutoInt(2, num_heads=2)
    w = filled(layer, [1, 3, 4])
    inputs = normal(2, 3, 4)
    for b in range(2):
        fields = inputs[b]  # [N, D]
        for i in range(2):
            query, key, value = (
                fields @ w[f"{name}_{i}/kernel"]
                for name in ("query", "key", "value")
            )
            attended = np.zeros([3, 4])
            for head, m in np.ndindex(2, 3):
                share = slice(2 * head, 2 * head + 2)
                alpha = softmax(key[:, share] @ query[m, share])
                attended[m, share] = alpha @ value[:, share]
            fields = relu(attended + fields @ w[f"residual_{i}/kernel"])
        np.testing.assert_allclose(
            layer(inputs)[b], fields.ravel(), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("arguments", [{"num_layers": 0}, {"num_heads": 0}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"must be >= 1. Received: num_layers"):
        AutoInt(**arguments)


def test_heads_that_do_not_divide():
    with pytest.raises(ValueError, match=r"divide the width.*num_heads=3"):
        AutoInt(num_heads=3)(tf.zeros([2, 3, 4]))
