"""LSTM against a NumPy loop."""

import numpy as np

from tfadrec.core.door import keras, tf
from tfadrec.layers import LSTM


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(events, mask, kernel, recurrent, bias):
    width = events.shape[-1]
    out = np.zeros([len(events), width])
    for b in range(len(events)):
        h, c = np.zeros(width), np.zeros(width)
        for x, real in zip(events[b], mask[b], strict=True):
            if real:
                z = x @ kernel + h @ recurrent + bias
                i, f, g, o = np.split(z, 4)
                c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
                h = sigmoid(o) * np.tanh(c)
        out[b] = h
    return out


def test_last_real_state():
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    events = random.normal(size=(4, 5, 3)).astype(np.float32)
    mask = np.arange(5) < np.array([5, 3, 1, 0])[:, None]
    layer = LSTM()
    inputs = {"events": tf.constant(events), "mask": tf.constant(mask)}
    layer(inputs)
    weights = [random.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    outputs = layer(inputs)
    assert outputs.shape == [4, 1, 3]
    expected = reference(events, mask, *weights)
    np.testing.assert_allclose(outputs[:, 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(outputs[3], np.zeros([1, 3]))


def test_the_order_of_events_matters():
    keras.utils.set_random_seed(0)
    layer = LSTM()
    events = tf.random.normal([1, 3, 4])
    mask = tf.ones([1, 3], tf.bool)
    forth = layer({"events": events, "mask": mask})
    back = layer({"events": events[:, ::-1], "mask": mask})
    assert np.abs(forth - back).max() > 1e-3
