"""A recurrence and its gradient against plain loops."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.ops import recurrence

TIME, BATCH, SLATE, WIDTH = 4, 3, 2, 5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def random_inputs(time=TIME, batch=BATCH, slate=SLATE):
    random = np.random.default_rng(0)
    gates = random.normal(size=(3, time, batch, WIDTH))
    kernel = random.normal(size=(WIDTH, 3 * WIDTH))
    attention = random.random((time, batch, slate))
    attention[1:3, :1] = 0
    return [x.astype(np.float32) for x in (gates, kernel, attention)]


def run(gates, kernel, attention):
    return recurrence.gru(tf.unstack(gates), kernel, attention)


def reference(gates, kernel, attention):
    time, batch, slate = attention.shape
    states = np.zeros([time + 1, batch, slate, WIDTH])
    u_kernel, r_kernel, n_kernel = np.split(kernel, 3, axis=1)
    for t, b, c in np.ndindex(time, batch, slate):
        h = states[t, b, c]
        u = sigmoid(gates[0, t, b] + h @ u_kernel)
        r = sigmoid(gates[1, t, b] + h @ r_kernel)
        n = np.tanh(gates[2, t, b] + r * (h @ n_kernel))
        step = attention[t, b, c] * u
        states[t + 1, b, c] = (1 - step) * h + step * n
    return states


def unrolled(gates, kernel, attention):
    """The formula as it stands, for automatic differentiation."""
    kernels = tf.split(kernel, 3, axis=1)
    h = tf.zeros([*attention.shape[1:], WIDTH])
    states = [h]
    for t in range(attention.shape[0]):
        x, a = gates[:, t, :, None, :], attention[t, :, :, None]
        u = tf.sigmoid(x[0] + h @ kernels[0])
        r = tf.sigmoid(x[1] + h @ kernels[1])
        n = tf.tanh(x[2] + r * (h @ kernels[2]))
        h = (1 - a * u) * h + a * u * n
        states.append(h)
    return tf.stack(states)


def both(gates, kernel, attention, weights, function=run):
    """States, and the gradients of their weighted sum."""
    inputs = [tf.convert_to_tensor(x) for x in (gates, kernel, attention)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        states = function(*inputs)
        loss = tf.reduce_sum(states * weights)
    gradients = tape.gradient(loss, inputs, unconnected_gradients="zero")
    return states, *gradients


SIGNATURE = [
    tf.TensorSpec([3, None, None, WIDTH]),
    tf.TensorSpec([WIDTH, 3 * WIDTH]),
    tf.TensorSpec([None, None, None]),
    tf.TensorSpec([None, None, None, WIDTH]),
]


def weights_of(attention):
    time, batch, slate = attention.shape
    shape = (time + 1, batch, slate, WIDTH)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def assert_close(ones, others):
    for one, other in zip(ones, others, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_states():
    inputs = random_inputs()
    states = run(*inputs)
    np.testing.assert_allclose(states, reference(*inputs), atol=1e-5)


def test_gradients():
    inputs = random_inputs()
    weights = weights_of(inputs[-1])
    expected = both(*inputs, weights, function=unrolled)
    assert_close(both(*inputs, weights), expected)


def test_one_graph_for_all_sizes():
    function = tf.function(both, input_signature=SIGNATURE)
    for size in ((4, 3, 2), (0, 3, 2), (4, 0, 2), (4, 3, 0)):
        inputs = random_inputs(*size)
        weights = weights_of(inputs[-1])
        expected = both(*inputs, weights, function=unrolled)
        assert_close(function(*inputs, weights), expected)
    assert function.experimental_get_tracing_count() == 1


def test_xla():
    function = tf.function(both, input_signature=SIGNATURE, jit_compile=True)
    inputs = random_inputs()
    weights = weights_of(inputs[-1])
    expected = both(*inputs, weights, function=unrolled)
    assert_close(function(*inputs, weights), expected)


def test_no_attention_keeps_the_state_and_teaches_nothing():
    gates, kernel, attention = random_inputs()
    attention[2:, 1] = 0
    states, d_gates, _, _ = both(
        gates, kernel, attention, weights_of(attention)
    )
    np.testing.assert_array_equal(states[3:, 1], [states[2, 1]] * 2)
    np.testing.assert_array_equal(d_gates[:, 2:, 1], 0)
    assert np.abs(d_gates[0, :2, 1]).min() > 0


def test_candidates_do_not_meet():
    gates, kernel, attention = random_inputs()
    together = run(gates, kernel, attention)
    for c in range(SLATE):
        alone = run(gates, kernel, attention[:, :, c : c + 1])
        np.testing.assert_allclose(together[:, :, c], alone[:, :, 0], atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype):
    inputs = random_inputs()
    weights = weights_of(inputs[-1])
    halves = [tf.cast(x, dtype) for x in (*inputs, weights)]
    for one, other in zip(both(*halves), both(*inputs, weights), strict=True):
        assert one.dtype == dtype
        limit = (0.01 if dtype == "float16" else 0.1) * np.abs(other).max()
        np.testing.assert_allclose(
            tf.cast(one, tf.float32), other, atol=limit, rtol=0
        )


def test_the_kernel_learns_from_long_histories_in_half_precision():
    # In bfloat16, 256 + 1 = 256: a sum of a thousand equal terms would stop.
    time = 1000
    gates = tf.ones([3, time, 1, WIDTH])
    kernel, attention = tf.zeros([WIDTH, 3 * WIDTH]), tf.ones([time, 1, 1])
    weights = tf.ones([time + 1, 1, 1, WIDTH])
    inputs = (gates, kernel, attention, weights)
    function = tf.function(both)
    expected = function(*inputs)[2]
    half = function(*(tf.cast(x, tf.bfloat16) for x in inputs))[2]
    np.testing.assert_allclose(tf.cast(half, tf.float32), expected, rtol=0.02)


def test_a_saved_function_still_learns(tmp_path):
    inputs = random_inputs()
    weights = weights_of(inputs[-1])
    module = tf.Module()
    module.run = tf.function(run, input_signature=SIGNATURE[:3])
    tf.saved_model.save(
        module,
        str(tmp_path),
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=True),
    )
    loaded = tf.saved_model.load(str(tmp_path))
    assert_close(
        both(*inputs, weights, function=loaded.run), both(*inputs, weights)
    )


def test_input_gates():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(TIME, BATCH, 2)).astype(np.float32)
    kernel = random.normal(size=(2, 3 * WIDTH)).astype(np.float32)
    bias = random.normal(size=3 * WIDTH).astype(np.float32)
    gates = recurrence.input_gates(inputs, kernel, bias)
    expected = np.split(inputs @ kernel + bias, 3, axis=-1)
    np.testing.assert_allclose(gates, expected, rtol=1e-5, atol=1e-6)
