"""CTRHead against the formulas of DCN V2, in NumPy."""

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.layers import CTRHead


def filled(layer, width):
    """The layer with random weights, and those by their short names."""
    layer(tf.zeros([1, width]))
    random = np.random.default_rng(2)
    values = {}
    for variable in layer.trainable_weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    crosses = layer._cross._crosses if layer.cross_layers else []
    for name, parts in (("cross", crosses), ("hidden", layer._hidden)):
        for i, part in enumerate(parts):
            values[f"{name}_{i}"] = part.get_weights()
    values["output"] = layer._output.get_weights()
    return values


@pytest.mark.parametrize("rank", [None, 2])
def test_parallel_dcn(rank):
    layer = CTRHead((7, 6), cross_layers=2, cross_rank=rank)
    values = filled(layer, 5)
    x = np.random.default_rng(3).normal(size=(4, 3, 5)).astype(np.float32)
    crossed = x
    for i in range(2):
        *kernels, bias = values[f"cross_{i}"]
        projected = crossed
        for kernel in kernels:  # one of full rank, or two of rank r
            projected = projected @ kernel
        crossed = x * (projected + bias) + crossed
    assert len(kernels) == (1 if rank is None else 2)
    deep = x
    for i in range(2):
        kernel, bias = values[f"hidden_{i}"]
        deep = np.maximum(deep @ kernel + bias, 0)
    kernel, bias = values["output"]
    expected = np.concatenate([crossed, deep], -1) @ kernel + bias
    np.testing.assert_allclose(layer(x), expected[..., 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("units", [1, 2])
def test_slates_of_any_size(units):
    """Also without users or candidates, in the optimised graph."""
    keras.utils.set_random_seed(0)
    head = CTRHead((7, 6), units=units)
    head(tf.zeros([1, 5]))
    ask = tf.function(head, input_signature=[tf.TensorSpec([None, None, 5])])
    some = tf.random.normal([2, 3, 5])
    flat = tf.reshape(some, [6, 5])
    np.testing.assert_allclose(
        tf.reshape(ask(some), [6, units]),
        tf.reshape(head(flat), [6, units]),
        rtol=1e-6,
    )
    behind = [] if units == 1 else [units]
    for shape in ([0, 3], [2, 0]):
        assert ask(tf.zeros([*shape, 5])).shape == [*shape, *behind]


def test_without_crosses_or_without_a_deep_part():
    x = np.random.default_rng(3).normal(size=(4, 5)).astype(np.float32)
    linear = CTRHead((), cross_layers=0)
    kernel, bias = filled(linear, 5)["output"]
    np.testing.assert_allclose(
        linear(x), (x @ kernel + bias)[:, 0], rtol=1e-4, atol=1e-5
    )
    deep = CTRHead((3,), cross_layers=0)
    values = filled(deep, 5)
    kernel, bias = values["hidden_0"]
    hidden = np.maximum(x @ kernel + bias, 0)
    kernel, bias = values["output"]
    np.testing.assert_allclose(
        deep(x), (hidden @ kernel + bias)[:, 0], rtol=1e-4, atol=1e-5
    )


def test_dropout_only_in_training():
    keras.utils.set_random_seed(0)
    layer = CTRHead((64,), dropout=0.5)
    x = tf.random.normal([3, 8])
    np.testing.assert_array_equal(layer(x), layer(x))
    first, second = layer(x, training=True), layer(x, training=True)
    assert np.abs(first - second).min() > 0
    # What is dropped are hidden units: the crosses stay.
    no_deep = CTRHead((), dropout=0.5)
    np.testing.assert_array_equal(no_deep(x, training=True), no_deep(x))


def test_bounds_are_saved_and_have_a_way_back_in_training():
    layer = CTRHead((), cross_layers=0, units=2, is_bounded=True)
    x = tf.constant([[1.0]])
    layer(x)
    layer._output.set_weights([np.array([[3.0, -9.0]]), np.zeros(2)])
    np.testing.assert_array_equal(layer(x), [[3, -9]])
    layer.keep_between([-np.inf, -4], [2, np.inf])
    same = CTRHead.from_config(layer.get_config())
    same(x)
    same.set_weights(layer.get_weights())
    np.testing.assert_array_equal(same(x), [[2, -4]])
    for training in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(same(x, training=training))
        # Down is the way back from 2, and the way further off from -4.
        assert tape.gradient(loss, x).numpy().item() == (3.0 if training else 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_units": (8, 0)}, r">= 0\. Received: hidden_units=\(8, 0\)"),
        ({"cross_layers": -1}, r"Received: .*cross_layers=-1"),
        (
            {"cross_rank": 0},
            r">= 1 or None\. Received: cross_rank=0",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CTRHead(**arguments)
