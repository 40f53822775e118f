"""DIEN against NumPy loops that follow the paper."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import tfadrec
from tfadrec.core.door import keras, tf
from tfadrec.layers import DIEN


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def random_inputs(lengths=(4, 2, 1, 0), slate=3, width=5):
    random = np.random.default_rng(0)
    batch, time = len(lengths), max(lengths)
    events = random.normal(size=(batch, time, width))
    target = random.normal(size=(batch, slate, width))
    mask = np.arange(time) < np.array(lengths)[:, None]
    return {
        "events": tf.constant(events, tf.float32),
        "mask": tf.constant(mask),
        "target": tf.constant(target, tf.float32),
    }


def random_layer(inputs, **kwargs):
    """A layer, and its weights by name."""
    layer = DIEN(name="dien", **kwargs)
    layer(inputs)
    random = np.random.default_rng(1)
    weights = {}
    for variable in layer.weights:
        name = variable.name.removesuffix(":0").partition("/")[2]
        weights[name] = random.normal(0, 0.5, variable.shape)
        variable.assign(weights[name])
    return layer, weights


def gru(inputs, attention, kernel, recurrent_kernel, bias):
    """The states after each step, of one user and one candidate."""
    h, states = np.zeros(inputs.shape[-1]), []
    for x, a in zip(inputs, attention, strict=True):
        x_u, x_r, x_n = np.split(x @ kernel + bias, 3)
        h_u, h_r, h_n = np.split(h @ recurrent_kernel, 3)
        u, r = sigmoid(x_u + h_u), sigmoid(x_r + h_r)
        n = np.tanh(x_n + r * h_n)
        h = (1 - a * u) * h + a * u * n
        states.append(h)
    return np.array(states)


def part(weights, name):
    names = ("kernel", "recurrent_kernel", "bias")
    return [weights[f"{name}/{other}"] for other in names]


def interests_of(inputs, weights):
    """Per user, one row for each real event."""
    return [
        gru(events[real], np.ones(real.sum()), *part(weights, "extractor"))
        for events, real in zip(
            inputs["events"].numpy(), inputs["mask"].numpy(), strict=True
        )
    ]


def auxiliary_loss(inputs, weights):
    events, mask = inputs["events"].numpy(), inputs["mask"].numpy()
    losses = []
    for b, interests in enumerate(interests_of(inputs, weights)):
        for t in range(len(interests) - 1):
            if mask[b - 1, t + 1] and len(events) > 1:
                right = sigmoid(interests[t] @ events[b, t + 1])
                wrong = sigmoid(interests[t] @ events[b - 1, t + 1])
                losses.append(-np.log(right) - np.log(1 - wrong))
    return np.mean(losses) if losses else 0.0


def test_against_the_paper():
    inputs = random_inputs()
    layer, weights = random_layer(inputs)
    target = inputs["target"].numpy()
    expected = np.zeros(target.shape)
    for b, interests in enumerate(interests_of(inputs, weights)):
        for c, q in enumerate(target[b]):
            if len(interests):
                logits = interests @ (q @ weights["query/kernel"])
                attention = np.exp(logits) / np.exp(logits).sum()
                evolution = part(weights, "evolution")
                expected[b, c] = gru(interests, attention, *evolution)[-1]
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-4, atol=1e-5)


def test_each_candidate_is_read_on_its_own():
    inputs = random_inputs()
    layer, _ = random_layer(inputs)
    together = layer(inputs)
    for c in range(3):
        alone = layer({**inputs, "target": inputs["target"][:, c : c + 1]})
        np.testing.assert_allclose(together[:, c], alone[:, 0], atol=1e-6)


def test_auxiliary_loss_by_hand():
    # Without kernels, with an update gate of sigmoid(50) = 1 and a new state
    # of tanh(atanh(0.5)), every interest is 0.5.
    inputs = {
        "events": tf.constant([[[9.0], [2.0], [9.0]], [[9.0], [-4.0], [9.0]]]),
        "mask": tf.constant([[True, True, True], [True, True, False]]),
        "target": tf.ones([2, 1, 1]),
    }
    layer = DIEN()
    layer(inputs)
    layer.set_weights([np.zeros(w.shape) for w in layer.get_weights()])
    for variable in layer.weights:
        if "extractor/bias" in variable.name:
            variable.assign([50.0, 0.0, np.arctanh(0.5)])
    layer(inputs, training=True)
    # Step 1 foretells the second events, 2 and -4; each is the other's wrong
    # one. The third event has no other to be told from.
    first = -np.log(sigmoid(1.0)) - np.log(1 - sigmoid(-2.0))
    second = -np.log(sigmoid(-2.0)) - np.log(1 - sigmoid(1.0))
    np.testing.assert_allclose(layer.losses, [(first + second) / 2], rtol=1e-5)


@pytest.mark.parametrize(
    "lengths", [(4, 2, 1, 0), (3, 4, 4), (2, 3), (4,), (1, 1), (0, 0)]
)
def test_auxiliary_loss(lengths):
    inputs = random_inputs(lengths)
    layer, weights = random_layer(inputs, auxiliary_weight=0.3)
    layer(inputs, training=True)
    (loss,) = layer.losses
    assert loss.dtype == tf.float32
    expected = 0.3 * auxiliary_loss(inputs, weights)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    assert (expected == 0) == (lengths in [(4,), (1, 1), (0, 0)])


def test_auxiliary_loss_in_half_precision():
    # Interests are tanh(50) = 1, so every inner product is 512 * 200, which
    # is no number of float16; -log(1 - sigmoid(x)) is near x.
    width = 512
    inputs = {
        "events": tf.fill([2, 2, width], 200.0),
        "mask": tf.ones([2, 2], tf.bool),
        "target": tf.ones([2, 1, width]),
    }
    layer = DIEN(dtype="mixed_float16")
    layer(inputs)
    layer.set_weights([np.zeros(w.shape) for w in layer.get_weights()])
    for variable in layer.weights:
        if "extractor/bias" in variable.name:
            variable.assign(np.full(3 * width, 50.0))
    layer(inputs, training=True)
    (loss,) = layer.losses
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, 512 * 200, rtol=1e-6)


@pytest.mark.parametrize(
    ("weight", "training"), [(1.0, False), (1.0, None), (0.0, True)]
)
def test_no_auxiliary_loss(weight, training):
    layer = DIEN(weight)
    layer(random_inputs(), training=training)
    assert layer.losses == []


def test_padding_does_not_reach_the_auxiliary_loss():
    inputs = random_inputs((3, 4, 2))
    layer, _ = random_layer(inputs)
    garbled = {
        **inputs,
        "events": tf.where(inputs["mask"][..., None], inputs["events"], np.nan),
    }
    results = []
    for one in (inputs, garbled):
        with tf.GradientTape() as tape:
            layer(one, training=True)
            (loss,) = layer.losses
        extractor = [w for w in layer.weights if "extractor" in w.name]
        results.append([loss, *tape.gradient(loss, extractor)])
    for one, other in zip(*results, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(
    "kind", ["keras", pytest.param("tf", marks=pytest.mark.slow)]
)
def test_a_reloaded_model_learns_the_same(tmp_path, kind):
    inputs = random_inputs()
    shapes = {
        name: keras.Input(x.shape[1:], dtype=x.dtype)
        for name, x in inputs.items()
    }
    model = keras.Model(shapes, DIEN()(shapes))
    path = tmp_path / ("model.keras" if kind == "keras" else "model")
    model.save(path, save_format=kind)
    results = []
    for each in (model, keras.models.load_model(path)):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(each(inputs, training=True))
            (loss,) = each.losses
            total += loss
        gradients = tape.gradient(total, each.trainable_weights)
        results.append([loss, *gradients])
    for one, other in zip(*results, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


MIRRORED = """
import tfadrec
from tfadrec.core.door import keras, tf

cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from tests.layers.behavior.test_dien import random_inputs
from tfadrec.layers import DIEN

# Each replica sees the users that the one device sees.
users = random_inputs((4, 3))
twice = tf.nest.map_structure(lambda x: tf.concat([x, x], axis=0), users)

def losses_of(strategy, inputs):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        shapes = {
            name: keras.Input(x.shape[1:], dtype=x.dtype)
            for name, x in inputs.items()
        }
        model = keras.Model(shapes, DIEN()(shapes))
        model.compile("sgd", "mse")
    rows = (inputs, tf.zeros_like(inputs["target"]))
    data = tf.data.Dataset.from_tensor_slices(rows).batch(4)
    return model.fit(data, epochs=3, verbose=0).history["loss"]

print(losses_of(tf.distribute.get_strategy(), users))
print(losses_of(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), twice))
"""


@pytest.mark.slow
def test_two_replicas_learn_as_one_device():
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(tfadrec.__file__).parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = map(json.loads, done.stdout.splitlines())
    np.testing.assert_allclose(one, two, rtol=1e-5)
    assert one[0] > one[-1]
    assert one[0] > 1  # the auxiliary loss, near 2 log 2, is a part of it


def test_bad_weight():
    with pytest.raises(ValueError, match=r">= 0\. Received: auxiliary_w.*-1"):
        DIEN(-1.0)
