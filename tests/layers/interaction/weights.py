"""Layers with random weights, which start at zero or alike otherwise."""

import numpy as np

from tfadrec.core.door import tf


def filled(layer, shape):
    """The built layer's weights by name, without the layer's own."""
    layer(tf.zeros(shape))
    random = np.random.default_rng(2)
    values = {}
    for variable in layer.trainable_weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
        name = variable.name.removesuffix(":0").partition("/")[2]
        values[name] = variable.numpy().astype(np.float64)
    return values


def normal(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def softmax(x):
    return np.exp(x) / np.exp(x).sum()
