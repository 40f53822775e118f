"""BST against a NumPy loop, and one candidate against many."""

import numpy as np
import pytest

from tests.layers.behavior import reference
from tfadrec.core.door import keras, tf
from tfadrec.layers import BST

C, T, D = 3, 4, 6


def random_inputs(lengths):
    random = np.random.default_rng(0)
    batch = len(lengths)
    mask = np.arange(T) < np.array(lengths)[:, None]
    events = random.normal(size=(batch, T, D)).astype(np.float32)
    return {
        "events": tf.constant(np.where(mask[..., None], events, np.nan)),
        "mask": tf.constant(mask),
        "target": tf.constant(random.normal(size=(batch, C, D)), tf.float32),
    }


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_against_a_loop(num_layers, layer_norm):
    lengths = [T, 2, 0]
    inputs = random_inputs(lengths)
    layer = BST(num_layers, 2, ffn_units=5, layer_norm=layer_norm)
    layer(inputs)
    weights = reference.fill(layer)
    outputs = layer(inputs)
    for b, c in np.ndindex(len(lengths), C):
        events = [*inputs["events"].numpy()[b, : lengths[b]]]
        row = inputs["target"].numpy()[b, c]
        for i in range(num_layers):
            of_block = reference.under(weights, f"block_{i}")
            row = reference.block(row, [*events, row], of_block, 2)
            events = [
                reference.block(event, events, of_block, 2) for event in events
            ]
        of_norm = reference.under(weights, "norm")
        assert bool(of_norm) == layer_norm
        expected = reference.affine_norm(row, of_norm)
        np.testing.assert_allclose(
            outputs[b, c], expected, rtol=1e-3, atol=1e-4
        )


def test_each_candidate_is_read_alone():
    keras.utils.set_random_seed(0)
    layer = BST(2)
    inputs = random_inputs([T, 1])
    together = layer(inputs)
    for c in range(C):
        target = inputs["target"][:, c : c + 1]
        alone = layer({**inputs, "target": target})
        np.testing.assert_allclose(
            together[:, c], alone[:, 0], rtol=1e-4, atol=1e-5
        )


def test_dropout_in_training():
    keras.utils.set_random_seed(0)
    layer = BST(dropout=0.5)
    inputs = random_inputs([T])
    assert np.abs(layer(inputs, training=True) - layer(inputs)).max() > 1e-2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, r">= 1\. Received: num_layers=0\."),
        ({"num_heads": 0}, r">= 1\. Received: num_heads=0\."),
        ({"ffn_units": 0}, r">= 1\. Received: ffn_units=0\."),
        ({"dropout": -0.1}, r"\[0, 1\)\. Received: dropout=-0\.1\."),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BST(**arguments)


def test_heads_have_to_share_out_the_width():
    with pytest.raises(ValueError, match=r"num_heads=4, width=6\."):
        BST(num_heads=4)(random_inputs([T]))
