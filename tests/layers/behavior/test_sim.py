"""SIM: what each search finds, and attention over just that."""

import numpy as np
import pytest

from tests import conformance
from tests.cases.behavior import encoder
from tests.layers.behavior import reference
from tfadrec.core.door import keras, tf
from tfadrec.layers import SIM

B, C, T, D = 3, 2, 6, 4
LENGTHS = np.array([T, 3, 0])


def random_inputs():
    random = np.random.default_rng(0)
    mask = np.arange(T) < LENGTHS[:, None]
    events = random.normal(size=(B, T, D)).astype(np.float32)
    return {
        "events": tf.constant(np.where(mask[..., None], events, np.nan)),
        "mask": tf.constant(mask),
        "target": tf.constant(random.normal(size=(B, C, D)), tf.float32),
        "ages": tf.constant(random.integers(0, 10**6, (B, T)), tf.int32),
        "category": tf.constant(random.integers(0, 2, (B, T)), tf.int32),
        "target_category": tf.constant([[0, 1], [1, 0], [0, 0]]),
    }


def exact(inputs, weights, b, c, chosen):
    """Attention over the chosen events with their gaps, in NumPy."""
    rows = []
    for t in chosen:
        gap = int(np.floor(np.log2(1 + inputs["ages"].numpy()[b, t])))
        event = inputs["events"].numpy()[b, t]
        rows.append(event + weights["gap_embedding"][gap])
    target = inputs["target"].numpy()[b, c]
    return reference.attend(
        target, rows, reference.under(weights, "attention"), 2
    )


def test_hard_search_by_hand():
    # Kernels of one and a target of 0: the mean of what was found.
    inputs = {
        "events": tf.constant([[[1.0], [2.0], [4.0], [8.0], [16.0]]]),
        "mask": tf.constant([[True, True, True, True, False]]),
        "ages": tf.constant([[9, 8, 7, 6, 5]]),
        "category": tf.constant([[3, 3, 1, 3, 3]]),
        "target": tf.zeros([1, 3, 1]),
        "target_category": tf.constant([[3, 1, 2]]),
    }
    layer = SIM("hard", top_k=2, num_heads=1)
    layer(inputs)
    layer.set_weights([np.zeros([32, 1]), *[np.ones([1, 1])] * 4])
    # Of category 3 the newer two, 2 and 8; of 1 the only one; of 2 none.
    np.testing.assert_allclose(layer(inputs), [[[5], [4], [0]]])


@pytest.mark.parametrize("top_k", [2, 9])
def test_hard_search_against_a_loop(top_k):
    inputs = random_inputs()
    layer = SIM("hard", top_k)
    layer(inputs)
    weights = reference.fill(layer)
    assert not any("search" in name for name in weights)
    outputs = layer(inputs)
    for b, c in np.ndindex(B, C):
        wanted = inputs["target_category"].numpy()[b, c]
        found = [
            t
            for t in range(LENGTHS[b])
            if inputs["category"].numpy()[b, t] == wanted
        ]
        expected = exact(inputs, weights, b, c, found[-top_k:])
        np.testing.assert_allclose(
            outputs[b, c], expected, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("top_k", [2, 9])
def test_soft_search_against_a_loop(top_k):
    inputs = random_inputs()
    layer = SIM("soft", top_k)
    layer(inputs)
    weights = reference.fill(layer)
    outputs = layer(inputs)
    for b, c in np.ndindex(B, C):
        events = inputs["events"].numpy()[b, : LENGTHS[b]]
        q = inputs["target"].numpy()[b, c] @ weights["search_target/kernel"]
        scores = [
            q @ (event @ weights["search_event/kernel"]) / 2  # sqrt(D)
            for event in events
        ]
        best_first = sorted(range(len(scores)), key=lambda t: -scores[t])
        expected = exact(inputs, weights, b, c, best_first[:top_k])
        if scores:
            expected += reference.softmax(scores) @ events
        np.testing.assert_allclose(
            outputs[b, c], expected, rtol=1e-4, atol=1e-5
        )


def test_soft_search_learns_what_to_find():
    # One of eight events, known by its third entry, holds the answer.
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(3)
    events = random.normal(size=(256, 8, D)).astype(np.float32)
    users, telling = np.arange(256), random.integers(0, 8, 256)
    events[..., 2] = 0
    events[users, telling, 2] = 2
    answers = events[users, telling, 0]
    inputs = {
        "events": tf.constant(events),
        "mask": tf.ones([256, 8], tf.bool),
        "target": tf.ones([256, 1, D]),
        "ages": tf.zeros([256, 8], tf.int32),
    }
    layer = SIM(top_k=1)
    optimizer = keras.optimizers.Adam(0.03)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            outputs = layer(inputs)[:, 0, 0]
            loss = tf.reduce_mean((outputs - answers) ** 2)
        weights = layer.trainable_weights
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))

    def share_found():
        weights = {
            weight.name.split("/")[1]: weight.numpy()
            for weight in layer.weights
            if "search" in weight.name
        }
        q = np.ones(D) @ weights["search_target"]
        scores = events @ weights["search_event"] @ q
        return np.mean(scores.argmax(axis=1) == telling)

    layer(inputs)
    assert share_found() < 0.1
    for _ in range(30):
        step()
    assert share_found() > 0.95


@pytest.mark.slow
def test_the_other_search_conforms_too(tmp_path):
    case = encoder(
        lambda **kwargs: SIM("soft", 2, 3, **kwargs), at_default=("search",)
    )
    conformance.check(case)
    conformance.check_saved(case, tmp_path / "soft.keras")


@pytest.mark.parametrize(
    ("search", "missing"),
    [
        ("soft", ["ages"]),
        ("hard", ["ages"]),
        ("hard", ["category"]),
        ("hard", ["category", "target_category"]),
    ],
)
def test_what_a_search_needs(search, missing):
    inputs = random_inputs()
    for name in missing:
        del inputs[name]
    names = ".*, ".join(f"`{name}`, int" for name in missing)
    with pytest.raises(
        ValueError, match=rf"must have {names}.*\. Received: .*events, mask"
    ):
        SIM(search)(inputs)


def test_soft_search_needs_no_category():
    inputs = random_inputs()
    del inputs["category"], inputs["target_category"]
    assert SIM()(inputs).shape == [B, C, D]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"search": "fuzzy"}, r"one of soft, hard\. Received: search='fuzzy'"),
        ({"top_k": 0}, r">= 1\. Received: top_k=0\."),
        ({"num_heads": 0}, r">= 1\. Received: num_heads=0\."),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SIM(**arguments)


def test_heads_have_to_share_out_the_width():
    with pytest.raises(ValueError, match=r"num_heads=3, width=4\."):
        SIM(num_heads=3)(random_inputs())
