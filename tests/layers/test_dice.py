"""Dice against the paper's formula."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.layers import Dice


def dice(s, alpha, mean, variance, epsilon):
    p = 1 / (1 + np.exp(-(s - mean) / np.sqrt(variance + epsilon)))
    return p * s + (1 - p) * alpha * s


def test_the_formula():
    random = np.random.default_rng(0)
    values = random.normal(size=(4, 3))
    alpha, mean = random.normal(size=(2, 3))
    variance = random.uniform(0.5, 2, 3)
    layer = Dice(epsilon=0.01)
    layer(tf.zeros([1, 3]))
    layer.set_weights([alpha, mean, variance])
    expected = dice(values, alpha, mean, variance, 0.01)
    found = layer(tf.constant(values, tf.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_averages_of_real_rows_in_training_alone():
    # Real values 1 and 5: mean 3, variance 4. From 0 and 1, a quarter on.
    layer = Dice(momentum=0.75)
    values = tf.constant([[[1.0], [5.0], [100.0]], [[7.0], [7.0], [7.0]]])
    mask = tf.constant([[True, True, False], [False, False, False]])
    layer(values, mask=mask)
    np.testing.assert_array_equal(layer.get_weights()[1:], [[0], [1]])
    layer(values, mask=mask, training=True)
    np.testing.assert_allclose(layer.get_weights()[1:], [[0.75], [1.75]])
    layer(values, mask=tf.zeros_like(mask), training=True)
    np.testing.assert_allclose(layer.get_weights()[1:], [[0.75], [1.75]])


@pytest.mark.parametrize(
    "arguments", [{"momentum": 1.0}, {"momentum": -0.1}, {"epsilon": 0.0}]
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"`momentum` must be.*Received: mom"):
        Dice(**arguments)
