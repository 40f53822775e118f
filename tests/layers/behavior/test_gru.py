"""GRU against a NumPy loop and against Keras."""

import numpy as np

from tfadrec.core.door import keras, tf
from tfadrec.layers import GRU


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def random_inputs():
    random = np.random.default_rng(0)
    events = random.normal(size=(4, 5, 3)).astype(np.float32)
    mask = np.arange(5) < np.array([5, 3, 1, 0])[:, None]
    return {"events": tf.constant(events), "mask": tf.constant(mask)}


def random_layer(inputs):
    layer = GRU()
    layer(inputs)
    random = np.random.default_rng(1)
    weights = [random.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    return layer, weights


def reference(events, mask, kernel, recurrent, bias):
    width = events.shape[-1]
    out = np.zeros([len(events), width])
    for b in range(len(events)):
        h = np.zeros(width)
        for x, real in zip(events[b], mask[b], strict=True):
            if real:
                x_u, x_r, x_n = np.split(x @ kernel + bias, 3)
                h_u, h_r, h_n = np.split(h @ recurrent, 3)
                u, r = sigmoid(x_u + h_u), sigmoid(x_r + h_r)
                h = (1 - u) * h + u * np.tanh(x_n + r * h_n)
        out[b] = h
    return out


def test_last_real_state():
    inputs = random_inputs()
    layer, weights = random_layer(inputs)
    outputs = layer(inputs)
    assert outputs.shape == [4, 1, 3]
    expected = reference(
        inputs["events"].numpy(), inputs["mask"].numpy(), *weights
    )
    np.testing.assert_allclose(outputs[:, 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(outputs[3], np.zeros([1, 3]))


def test_it_is_the_gru_of_keras_with_the_update_gate_turned_round():
    inputs = random_inputs()
    layer, (kernel, recurrent, bias) = random_layer(inputs)
    # There z = 1 - u, and sigmoid(-x) = 1 - sigmoid(x). It also has a bias
    # of the recurrent product.
    turn = np.repeat([-1, 1, 1], 3)
    other = keras.layers.GRU(3, reset_after=True)
    other.build(tf.TensorShape([None, None, 3]))
    other.set_weights(
        [
            kernel * turn,
            recurrent * turn,
            np.stack([bias * turn, np.zeros_like(bias)]),
        ]
    )
    expected = other(inputs["events"][:3], mask=inputs["mask"][:3])
    np.testing.assert_allclose(
        layer(inputs)[:3, 0], expected, rtol=1e-4, atol=1e-5
    )


def test_the_order_of_events_matters():
    keras.utils.set_random_seed(0)
    layer = GRU()
    events = tf.random.normal([1, 3, 4])
    mask = tf.ones([1, 3], tf.bool)
    forth = layer({"events": events, "mask": mask})
    back = layer({"events": events[:, ::-1], "mask": mask})
    assert np.abs(forth - back).max() > 1e-3


def test_first_weights():
    keras.utils.set_random_seed(0)
    layer = GRU()
    layer.build({"events": tf.TensorShape([None, None, 8])})
    kernel, recurrent, bias = layer.get_weights()
    # Glorot: uniform up to the root of 6 / (8 + 24).
    assert 0.4 < np.abs(kernel).max() < np.sqrt(6 / 32)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(8), atol=1e-5)
    np.testing.assert_array_equal(bias, np.zeros(24))
