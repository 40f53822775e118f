"""Transformer against a NumPy loop, and what padding and order do."""

import numpy as np
import pytest

from tests import conformance
from tests.cases.behavior import encoder
from tests.layers.behavior import reference
from tfadrec.core.door import keras, tf
from tfadrec.layers import Transformer

T, D, MAX_LENGTH = 5, 6, 3


def random_events(batch, time=T, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(batch, time, D)).astype(np.float32)


def tensors(events, mask):
    return {"events": tf.constant(events), "mask": tf.constant(mask)}


def position(kind, place, weights):
    if kind == "learned":
        return weights["position_embedding"][place]
    # Three waves for six entries: sines, then cosines.
    waves = [place / 10000 ** (i / 3) for i in range(3)]
    return np.concatenate([np.sin(waves), np.cos(waves)])


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", None])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("layer_norm", [True, False])
def test_against_a_loop(positions, causal, layer_norm):
    lengths = [T, 3, 1, 0]
    events = random_events(len(lengths))
    mask = np.arange(T) < np.array(lengths)[:, None]
    layer = Transformer(
        3,
        2,
        layer_norm=layer_norm,
        causal=causal,
        positions=positions,
        max_length=MAX_LENGTH,
    )
    inputs = tensors(np.where(mask[..., None], events, np.nan), mask)
    layer(inputs)
    weights = reference.fill(layer)
    outputs = layer(inputs).numpy()
    assert outputs.shape == (len(lengths), 1, D)
    for b, length in enumerate(lengths):
        states = [*events[b, :length].astype(float)]
        for t in range(length if positions else 0):
            place = min(length - 1 - t, MAX_LENGTH - 1)
            states[t] = states[t] + position(positions, place, weights)
        for i in range(3):
            of_block = reference.under(weights, f"block_{i}")
            states = [
                reference.block(
                    state, states[: t + 1] if causal else states, of_block, 2
                )
                for t, state in enumerate(states)
            ]
        last = reference.under(weights, "norm")
        states = [reference.affine_norm(state, last) for state in states]
        expected = np.zeros(D)
        if length:
            expected = states[-1] if causal else np.mean(states, axis=0)
        np.testing.assert_allclose(
            outputs[b, 0], expected, rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@pytest.mark.parametrize("causal", [True, False])
def test_padding_shifts_no_position(positions, causal):
    keras.utils.set_random_seed(0)
    layer = Transformer(2, causal=causal, positions=positions)
    events = random_events(2)
    expected = layer(tensors(events, np.ones([2, T], bool)))
    for left, right in ((0, 3), (2, 1)):
        around = [(0, 0), (left, right)]
        padded = np.pad(events, [*around, (0, 0)], constant_values=np.nan)
        mask = np.pad(np.ones([2, T], bool), around)
        np.testing.assert_allclose(
            layer(tensors(padded, mask)), expected, rtol=1e-4, atol=1e-5
        )


def test_positions_and_only_they_tell_the_order():
    keras.utils.set_random_seed(0)
    events = random_events(1)
    mask = np.ones([1, T], bool)
    for positions, changes in (("sinusoidal", True), (None, False)):
        layer = Transformer(causal=False, positions=positions)
        forth = layer(tensors(events, mask))
        back = layer(tensors(events[:, ::-1].copy(), mask))
        assert (np.abs(forth - back).max() > 1e-3) == changes


def test_events_far_back_share_a_position():
    keras.utils.set_random_seed(0)
    layer = Transformer(causal=False, max_length=MAX_LENGTH)
    events = random_events(1)
    mask = np.ones([1, T], bool)
    expected = layer(tensors(events, mask))
    # The oldest three of five have the third and last position.
    far = layer(tensors(events[:, [2, 0, 1, 3, 4]], mask))
    np.testing.assert_allclose(far, expected, rtol=1e-4, atol=1e-5)
    near = layer(tensors(events[:, [0, 1, 3, 2, 4]], mask))
    assert np.abs(near - expected).max() > 1e-4


@pytest.mark.slow
def test_the_causal_one_conforms_too(tmp_path):
    case = encoder(
        lambda **kwargs: Transformer(
            2, 3, ffn_units=5, dropout=0.37, max_length=3, **kwargs
        ),
        at_default=("num_layers", "layer_norm", "causal", "positions"),
    )
    conformance.check(case)
    conformance.check_saved(case, tmp_path / "causal.keras")


def test_events_and_parts_are_dropped_in_training():
    layer = Transformer(dropout=0.999999)
    inputs = tensors(random_events(1), np.ones([1, T], bool))
    assert np.abs(layer(inputs)).max() > 0.1
    # Nothing is left to begin with, and no block adds anything to it.
    np.testing.assert_array_equal(
        layer(inputs, training=True), np.zeros([1, 1, D])
    )


def test_odd_widths_have_waves_too():
    layer = Transformer(num_heads=1, positions="sinusoidal")
    events = random_events(1)[:, :, :5]
    assert layer(tensors(events, np.ones([1, T], bool))).shape == [1, 1, 5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_layers": 0}, r">= 1\. Received: num_layers=0\."),
        ({"num_heads": 0}, r">= 1\. Received: num_heads=0\."),
        ({"max_length": 0}, r">= 1\. Received: max_length=0\."),
        ({"ffn_units": 0}, r">= 1\. Received: ffn_units=0\."),
        ({"dropout": 1.0}, r"\[0, 1\)\. Received: dropout=1\.0\."),
        ({"positions": "fixed"}, r"or None\. Received: positions='fixed'\."),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Transformer(**arguments)


def test_heads_have_to_share_out_the_width():
    with pytest.raises(ValueError, match=r"num_heads=4, width=6\."):
        Transformer(num_heads=4)(
            tensors(random_events(1), np.ones([1, T], bool))
        )
