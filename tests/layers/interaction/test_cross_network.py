"""The cross network against its formula, and by hand."""

import numpy as np
import pytest

from tests.layers.interaction.weights import normal
from tfadrec.core.door import tf
from tfadrec.layers import CrossNetwork


@pytest.mark.parametrize("rank", [None, 2])
def test_the_formula(rank):
    layer = CrossNetwork(2, rank=rank)
    layer(tf.zeros([1, 5]))
    random = np.random.default_rng(2)
    for variable in layer.trainable_weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    x = normal(4, 3, 5)
    crossed = x
    for cross in layer._crosses:
        *kernels, bias = cross.get_weights()
        assert len(kernels) == (1 if rank is None else 2)
        projected = crossed
        for kernel in kernels:
            projected = projected @ kernel
        crossed = x * (projected + bias) + crossed
    np.testing.assert_allclose(layer(x), crossed, rtol=1e-4, atol=1e-5)


def test_two_layers_reach_the_third_degree():
    # x = 2, W = 1, b = 0: x_1 = 2 * 2 + 2 = 6, x_2 = 2 * 6 + 6 = 18, which is
    # x + 2 x^2 + x^3.
    layer = CrossNetwork(2)
    layer(tf.zeros([1, 1]))
    for variable in layer.trainable_weights:
        is_kernel = variable.shape.rank == 2
        variable.assign(tf.fill(variable.shape, float(is_kernel)))
    np.testing.assert_allclose(layer([[2.0]]), [[18]])


@pytest.mark.parametrize("arguments", [{"num_layers": 0}, {"rank": 0}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"must be >= 1.*Received: num_layers"):
        CrossNetwork(**arguments)
