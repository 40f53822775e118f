"""TransformerBlock against a NumPy loop over rows."""

import numpy as np
import pytest

from tests.layers.behavior import reference
from tfadrec.core.door import keras, tf
from tfadrec.layers.behavior.transformer_block import TransformerBlock

B, T, D = 2, 4, 6


def rows(count, seed):
    random = np.random.default_rng(seed)
    return random.normal(size=(B, count, D)).astype(np.float32)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("ffn_units", [None, 5])
def test_rows_that_read_each_other(ffn_units, layer_norm):
    x = rows(T, 0)
    mask = np.random.default_rng(1).random((B, T, T)) < 0.6
    layer = TransformerBlock(2, ffn_units, layer_norm=layer_norm)
    inputs = {"rows": tf.constant(x), "mask": tf.constant(mask)}
    layer(inputs)
    weights = reference.fill(layer)
    assert ("ffn_norm/gamma" in weights) == layer_norm
    assert weights["hidden/kernel"].shape == (D, ffn_units or 4 * D)
    outputs = layer(inputs)
    for b, t in np.ndindex(B, T):
        expected = reference.block(x[b, t], x[b, mask[b, t]], weights, 2)
        np.testing.assert_allclose(
            outputs[b, t], expected, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("include_self", [False, True])
def test_rows_that_read_a_context(include_self):
    x, context = rows(3, 0), rows(T, 1)
    mask = np.arange(T) < np.array([3, 0])[:, None]
    layer = TransformerBlock(3, layer_norm=True)
    inputs = {
        "rows": tf.constant(x),
        "context": tf.constant(context),
        "mask": tf.constant(mask[:, None, :]),
    }
    layer(inputs)
    weights = reference.fill(layer)
    outputs = layer(inputs, include_self=include_self)
    for b, q in np.ndindex(B, 3):
        seen = [*context[b, mask[b]], *([x[b, q]] if include_self else [])]
        expected = reference.block(x[b, q], seen, weights, 3)
        np.testing.assert_allclose(
            outputs[b, q], expected, rtol=1e-4, atol=1e-4
        )


def test_a_later_row_changes_no_earlier_one():
    keras.utils.set_random_seed(0)
    layer = TransformerBlock(2)
    causal = tf.constant(np.tril(np.ones([1, T, T], bool)))
    x = rows(T, 0)
    before = layer({"rows": tf.constant(x), "mask": causal})
    x[:, 2] *= -1
    after = layer({"rows": tf.constant(x), "mask": causal})
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.abs(before - after)[:, 2:].max(axis=(0, 2)).min() > 1e-2


def test_parts_are_dropped_in_training():
    x = tf.constant(rows(T, 0))
    inputs = {"rows": x, "mask": tf.ones([1, T, T], tf.bool)}
    layer = TransformerBlock(2, dropout=0.999999)
    assert np.abs(layer(inputs) - x).max() > 0.1
    # All but nothing of the two parts is dropped, what came in stays.
    np.testing.assert_array_equal(layer(inputs, training=True), x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, r">= 1\. Received: num_heads=0\."),
        ({"num_heads": 1, "ffn_units": 0}, r"Received: ffn_units=0\."),
        ({"num_heads": 1, "dropout": 1}, r"\[0, 1\)\. Received: dropout=1\."),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TransformerBlock(**arguments)
