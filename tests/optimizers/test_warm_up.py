"""Learning rates by hand: warm-up, decay, and from block to block."""

import numpy as np
import pytest

from tests.layers.text.tiny_models import encoder
from tfadrec.core.door import keras, tf
from tfadrec.layers.text import lora, top_layers
from tfadrec.optimizers import (
    CompositeOptimizer,
    LazyAdam,
    WarmUp,
    layerwise_decay,
)


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("linear", [1, 2, 2, 1.5, 1, 0.5, 0, 0]),
        # (1 + cos(pi s)) at s = 0, 1/4, 1/2, 3/4, 1.
        ("cosine", [1, 2, 2, 1 + 0.5**0.5, 1, 1 - 0.5**0.5, 0, 0]),
    ],
)
def test_warm_up(decay, expected):
    made = WarmUp(2.0, warm_up_steps=2, total_steps=6, decay=decay)
    rates = [float(made(tf.constant(t, tf.int64))) for t in range(8)]
    np.testing.assert_allclose(rates, expected, atol=1e-6)
    told = keras.optimizers.schedules.serialize(made)
    again = keras.optimizers.schedules.deserialize(told)
    assert type(again) is WarmUp
    assert again.get_config() == made.get_config()


def test_without_warm_up():
    made = WarmUp(2.0, warm_up_steps=0, total_steps=4)
    assert [float(made(t)) for t in range(3)] == [2, 1.5, 1]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"learning_rate": 0}, "`learning_rate` must be > 0. Received"),
        ({"warm_up_steps": 9}, "warm_up_steps=9, total_steps=9"),
        ({"warm_up_steps": -1}, "0 <= warm_up_steps < total_steps"),
        ({"decay": "step"}, "`decay` must be one of linear, cosine. Rec"),
    ],
)
def test_bad_schedules(kwargs, message):
    given = {"learning_rate": 1.0, "warm_up_steps": 1, "total_steps": 9}
    with pytest.raises(ValueError, match=message):
        WarmUp(**{**given, **kwargs})


@pytest.mark.parametrize(
    ("kind", "way", "rates"),
    [
        # Embeddings, the two blocks; and GPT-2's last norm.
        ("bert", "full", [0.125, 0.25, 0.5]),
        ("gpt2", "full", [0.125, 0.25, 0.5, 1.0]),
        ("gpt2", top_layers(1), [0.5, 1.0]),
        ("t5", lora(2), [0.25, 0.5]),
    ],
)
def test_layerwise_decay(kind, way, rates):
    made = encoder(kind, tuning=way)
    groups = layerwise_decay(made, 1.0, 0.5, weight_decay=0.25)
    assert [float(o.learning_rate) for o in groups.values()] == rates
    assert {o.weight_decay for o in groups.values()} == {0.25}
    optimizer = CompositeOptimizer(groups, LazyAdam(7.0))
    optimizer.build(made.trainable_weights)
    before = [variable.numpy() for variable in made.trainable_weights]
    ones = [tf.ones(variable.shape) for variable in made.trainable_weights]
    optimizer.apply_gradients(zip(ones, made.trainable_weights, strict=True))
    for variable, value in zip(made.trainable_weights, before, strict=True):
        # The first step of Adam is the rate; the decay goes before it.
        rate = 0.5 ** (made.num_layers + 1 - made.depth_of(variable))
        expected = value * (1 - 0.25 * rate) - rate
        np.testing.assert_allclose(variable, expected, atol=1e-4)


@pytest.mark.parametrize("decay", [0, 1.1])
def test_bad_decays(decay):
    made = encoder("bert", tuning="full")
    with pytest.raises(ValueError, match=r"`decay` must lie in \(0, 1\]"):
        layerwise_decay(made, 1.0, decay)
    with pytest.raises(ValueError, match=r"one with tuning=frozen. Choose"):
        layerwise_decay(encoder("bert"), 1.0, 0.5)
