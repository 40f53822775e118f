"""HSTU against a NumPy loop, and what time and distance do."""

import numpy as np
import pytest

from tests.layers.behavior import reference
from tfadrec.core.door import keras, tf
from tfadrec.layers import HSTU

T, D, HEADS, MAX_LENGTH = 5, 6, 2, 3


def silu(x):
    return x / (1 + np.exp(-x))


def random_inputs(lengths, seed=0):
    random = np.random.default_rng(seed)
    batch = len(lengths)
    mask = np.arange(T) < np.array(lengths)[:, None]
    events = random.normal(size=(batch, T, D)).astype(np.float32)
    ages = np.sort(random.integers(0, 10**6, (batch, T)))[:, ::-1]
    return {
        "events": tf.constant(np.where(mask[..., None], events, np.nan)),
        "mask": tf.constant(mask),
        "ages": tf.constant(np.where(mask, ages, -(10**9)), tf.int32),
    }


def next_states(states, ages, weights, distance_bias, gap_bias):
    """One block: the paper's equations, a pair of events at a time."""
    size = D // HEADS
    parts = []
    for state in states:
        u, q = np.split(silu(state @ weights["gate_and_query/kernel"]), 2)
        v, k = np.split(silu(state @ weights["value_and_key/kernel"]), 2)
        parts.append((u, q, v, k))
    outputs = []
    for i, state in enumerate(states):
        heads = np.zeros(D)
        for h in range(HEADS):
            part = slice(h * size, (h + 1) * size)
            for j in range(i + 1):
                gap = int(np.floor(np.log2(1 + ages[j] - ages[i])))
                bias = distance_bias[min(i - j, MAX_LENGTH - 1)] + gap_bias[gap]
                product = parts[i][1][part] @ parts[j][3][part]
                weight = silu(product + bias) / (i + 1)
                heads[part] += weight * parts[j][2][part]
        gated = reference.norm(heads) * parts[i][0]
        outputs.append(
            state + gated @ weights["output/kernel"] + weights["output/bias"]
        )
    return outputs


@pytest.mark.parametrize("num_layers", [1, 3])
def test_against_a_loop(num_layers):
    lengths = [T, 3, 1, 0]
    inputs = random_inputs(lengths)
    layer = HSTU(num_layers, HEADS, max_length=MAX_LENGTH)
    layer(inputs)
    weights = reference.fill(layer)
    outputs = layer(inputs)
    assert outputs.shape == [len(lengths), 1, D]
    for b, length in enumerate(lengths):
        states = [*inputs["events"].numpy()[b, :length].astype(float)]
        ages = inputs["ages"].numpy()[b, :length]
        for i in range(num_layers):
            states = next_states(
                states,
                ages,
                reference.under(weights, f"block_{i}"),
                weights["distance_bias"][i],
                weights["gap_bias"][i],
            )
        expected = states[-1] if length else np.zeros(D)
        np.testing.assert_allclose(
            outputs[b, 0], expected, rtol=1e-3, atol=1e-4
        )


def test_gaps_count_and_not_the_time_since():
    keras.utils.set_random_seed(0)
    layer = HSTU()
    inputs = random_inputs([T])
    ages = tf.constant([[900, 800, 300, 200, 100]])
    before = layer({**inputs, "ages": ages})
    later = layer({**inputs, "ages": ages + 1000})
    np.testing.assert_array_equal(before, later)
    longer = layer({**inputs, "ages": tf.add(ages, [[10**6, 0, 0, 0, 0]])})
    assert np.abs(before - longer).max() > 1e-6


def test_dropout_in_training():
    keras.utils.set_random_seed(0)
    layer = HSTU(dropout=0.5)
    inputs = random_inputs([T])
    assert np.abs(layer(inputs, training=True) - layer(inputs)).max() > 1e-2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, r">= 1\. Received: num_layers=0\."),
        ({"num_heads": 0}, r">= 1\. Received: num_heads=0\."),
        ({"max_length": 0}, r">= 1\. Received: max_length=0\."),
        ({"dropout": 1}, r"\[0, 1\)\. Received: dropout=1\."),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        HSTU(**arguments)


def test_heads_have_to_share_out_the_width():
    with pytest.raises(ValueError, match=r"num_heads=4, width=6\."):
        HSTU(num_heads=4)(random_inputs([T]))


def test_ages_are_needed():
    inputs = random_inputs([T])
    del inputs["ages"]
    with pytest.raises(
        ValueError,
        match=r"must have `ages`, int \[B, T\]\. Received: events, mask\.",
    ):
        HSTU()(inputs)
