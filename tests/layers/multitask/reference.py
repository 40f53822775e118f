"""One expert, one gate, one row at a time."""

import numpy as np

from tfadrec.core.door import tf


def filled(layer, width):
    """The layer's weights by their paths, all random."""
    layer(tf.zeros([1, width]))
    random = np.random.default_rng(2)
    values = {}
    for variable in layer.trainable_weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
        path = variable.name.removesuffix(":0").partition("/")[2]
        values[path] = variable.numpy()
    return values


def network(weights, name, group, expert, x):
    """What an expert makes of one input [F]."""
    layer = 0
    while f"{name}/kernel_{layer}" in weights:
        kernel = weights[f"{name}/kernel_{layer}"][group, expert]
        bias = weights[f"{name}/bias_{layer}"][group, expert]
        x = np.maximum(x @ kernel + bias, 0)
        layer += 1
    assert layer > 0, list(weights)
    return x


def softmax(logits):
    odds = np.exp(logits - logits.max())
    return odds / odds.sum()
