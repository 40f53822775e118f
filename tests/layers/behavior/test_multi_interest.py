"""MultiInterest against NumPy loops that follow the paper."""

import numpy as np
import pytest

from tests import conformance
from tests.cases.behavior import encoder
from tfadrec.core.door import keras, tf
from tfadrec.layers import MultiInterest


def random_inputs():
    random = np.random.default_rng(0)
    mask = np.arange(6) < np.array([6, 3, 1, 0])[:, None]
    return {
        "events": tf.constant(random.normal(size=(4, 6, 5)), tf.float32),
        "mask": tf.constant(mask),
        "target": tf.constant(random.normal(size=(4, 7, 5)), tf.float32),
    }


def random_layer(inputs, *args, **kwargs):
    layer = MultiInterest(*args, **kwargs)
    layer(inputs)
    random = np.random.default_rng(1)
    weights = [random.normal(0, 0.5, w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    return layer, weights


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def squash(s):
    square = s @ s
    return square / (1 + square) * s / np.sqrt(square)


def routed(events, kernel, num_interests, iterations):
    """Interests of one user: algorithm 1, event by event; and the couplings."""
    width = events.shape[-1]
    maps = np.split(kernel, num_interests, axis=1)
    b = np.zeros([num_interests, len(events)])
    for _ in range(iterations):
        c = np.stack([softmax(column) for column in b.T], axis=1)
        v = np.zeros([num_interests, width])
        for k, w in enumerate(maps):
            v[k] = squash(sum(c[k, t] * (e @ w) for t, e in enumerate(events)))
        for k, t in np.ndindex(*b.shape):
            b[k, t] += v[k] @ (events[t] @ maps[k])
    return v, c


def attended(events, hidden, score):
    logits = np.tanh(events @ hidden) @ score
    return np.stack([softmax(column) @ events for column in logits.T])


def nearest(interests, target):
    return [interests[np.argmax(interests @ q)] for q in target]


def expected_of(inputs, interests_of):
    events, mask, target = (
        inputs[name].numpy() for name in ("events", "mask", "target")
    )
    expected = np.zeros(target.shape)
    for b, real in enumerate(mask):
        if real.any():
            interests = interests_of(events[b, real])
            expected[b] = nearest(interests, target[b])
    return expected


@pytest.mark.parametrize(
    ("num_interests", "iterations"), [(3, 3), (2, 1), (1, 2)]
)
def test_dynamic_routing(num_interests, iterations):
    inputs = random_inputs()
    layer, (kernel,) = random_layer(
        inputs, num_interests, iterations=iterations
    )
    expected = expected_of(
        inputs, lambda x: routed(x, kernel, num_interests, iterations)[0]
    )
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-4, atol=1e-5)
    assert np.linalg.norm(expected, axis=-1).max() < 1


def test_attention():
    inputs = random_inputs()
    layer, (hidden, score) = random_layer(inputs, 3, routing="attention")
    assert hidden.shape == (5, 20)
    expected = expected_of(inputs, lambda x: attended(x, hidden, score))
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-4, atol=1e-5)


def test_candidates_choose_by_hand():
    # W_1 = 1 and W_2 = -1: from c = 1/2, the interests of one event e = 2 are
    # s = 1 and -1, and v = |s| / (1 + |s|^2) s = 0.5 and -0.5.
    inputs = {
        "events": tf.constant([[[2.0]]]),
        "mask": tf.constant([[True]]),
        "target": tf.constant([[[3.0], [-0.1], [0.2]]]),
    }
    layer = MultiInterest(2, iterations=1)
    layer(inputs)
    layer.set_weights([np.array([[1.0, -1.0]])])
    np.testing.assert_allclose(
        layer(inputs), [[[0.5], [-0.5], [0.5]]], rtol=1e-6
    )


@pytest.mark.parametrize("routing", ["dynamic", "attention"])
def test_the_order_of_events_does_not_matter(routing):
    inputs = random_inputs()
    layer, _ = random_layer(inputs, routing=routing)
    turned = {**inputs, "events": inputs["events"][:, ::-1]}
    turned["mask"] = inputs["mask"][:, ::-1]
    np.testing.assert_allclose(layer(inputs), layer(turned), atol=1e-5)


def test_interests_differ_from_the_start():
    keras.utils.set_random_seed(0)
    inputs = random_inputs()
    layer = MultiInterest()
    layer(inputs)
    (kernel,) = layer.get_weights()
    interests, _ = routed(inputs["events"][0].numpy(), kernel, 4, 3)
    cosines = interests / np.linalg.norm(interests, axis=1, keepdims=True)
    assert (cosines @ cosines.T - np.eye(4)).max() < 0.9


def test_no_gradient_goes_through_the_couplings():
    inputs = random_inputs()
    layer, (kernel,) = random_layer(inputs, 2)
    events = inputs["events"][:1]
    with tf.GradientTape() as tape:
        outputs = layer(tf.nest.map_structure(lambda x: x[:1], inputs))
        total = tf.reduce_sum(outputs)
    gradient = tape.gradient(total, layer.trainable_weights[0])
    # The same with the couplings held fast.
    _, couplings = routed(events[0].numpy(), kernel, 2, 3)
    held = tf.constant(kernel, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(held)
        sums = tf.constant(couplings, tf.float32) @ events[0]
        interests = []
        for s, w in zip(sums, tf.split(held, 2, axis=1), strict=True):
            s = tf.linalg.matvec(w, s, transpose_a=True)
            square = tf.reduce_sum(s**2)
            interests.append(square / (1 + square) * s / tf.sqrt(square))
        chosen = nearest(np.stack(interests), inputs["target"][0].numpy())
        counts = [sum(np.allclose(c, v) for c in chosen) for v in interests]
        total = sum(
            n * tf.reduce_sum(v) for n, v in zip(counts, interests, strict=True)
        )
    assert sum(counts) == 7
    np.testing.assert_allclose(
        gradient, tape.gradient(total, held), rtol=1e-3, atol=1e-5
    )


def test_conformance_of_the_attention(tmp_path):
    case = encoder(
        lambda **kwargs: MultiInterest(3, routing="attention", **kwargs),
        at_default=("iterations",),
    )
    conformance.check(case)
    conformance.check_saved(case, tmp_path / "attention.keras")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_interests": 0}, r"`num_interests` must be >= 1.*: num_inter"),
        ({"iterations": 0}, r"`iterations` must be >= 1.*Received: iterat"),
        ({"routing": "x"}, r"one of dynamic, attention\. Received: routing='x"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        MultiInterest(**kwargs)
