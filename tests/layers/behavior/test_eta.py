"""ETA: what hashing finds, and attention over just that."""

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.layers import ETA, TargetAttention

B, C, T, D = 3, 2, 7, 4
LENGTHS = np.array([T, 4, 0])


def random_inputs(lengths=LENGTHS, seed=0):
    random = np.random.default_rng(seed)
    mask = np.arange(T) < lengths[:, None]
    events = random.normal(size=(B, T, D)).astype(np.float32)
    return {
        "events": tf.constant(np.where(mask[..., None], events, np.nan)),
        "mask": tf.constant(mask),
        "target": tf.constant(random.normal(size=(B, C, D)), tf.float32),
    }


def pair(**arguments):
    """ETA, and target attention with the same weights."""
    keras.utils.set_random_seed(0)
    inputs = random_inputs()
    eta, attention = ETA(**arguments), TargetAttention()
    eta(inputs), attention(inputs)
    for one, other in zip(
        eta.trainable_weights, attention.trainable_weights, strict=True
    ):
        other.assign(one)
    return eta, attention


@pytest.mark.parametrize("top_k", [T, 50])
def test_target_attention_where_all_is_chosen(top_k):
    eta, attention = pair(top_k=top_k)
    inputs = random_inputs()
    np.testing.assert_allclose(
        eta(inputs), attention(inputs), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("num_hashes", [3, 32])
def test_attention_over_the_nearest_against_a_loop(num_hashes):
    eta, attention = pair(num_hashes=num_hashes, top_k=2)
    inputs = random_inputs()
    [planes] = eta.non_trainable_weights
    planes = planes.numpy()
    events, target = inputs["events"].numpy(), inputs["target"].numpy()
    outputs = eta(inputs)
    for b, c in np.ndindex(B, C):
        nearest = []
        for t in range(LENGTHS[b]):
            distance = sum(
                (events[b, t] @ planes[:, i] >= 0)
                != (target[b, c] @ planes[:, i] >= 0)
                for i in range(num_hashes)
            )
            nearest.append((distance, -t))  # the newer of two alike
        chosen = [-t for _, t in sorted(nearest)[:2]]
        mask = np.isin(np.arange(T), chosen)
        expected = attention(
            {
                "events": inputs["events"][b : b + 1],
                "mask": tf.constant(mask[None]),
                "target": inputs["target"][b : b + 1, c : c + 1],
            }
        )
        np.testing.assert_allclose(
            outputs[b, c], expected[0, 0], rtol=1e-4, atol=1e-5
        )


def test_of_two_at_the_same_distance_the_newer_is_chosen():
    # A hash knows no length, so 1 q and 2 q are the same; padding is nearer.
    eta, attention = pair(top_k=1)
    q = np.random.default_rng(0).normal(size=D)
    events = np.array([[q, 2 * q, -q, q]], np.float32)
    inputs = {
        "events": tf.constant(events),
        "mask": tf.constant([[True, True, True, False]]),
        "target": tf.constant([[q]], tf.float32),
    }
    newer = {**inputs, "mask": tf.constant([[False, True, False, False]])}
    np.testing.assert_allclose(eta(inputs), attention(newer), rtol=1e-5)


def test_the_seed_determines_the_planes():
    planes = []
    for seed in (0, 0, 1):
        eta = ETA(seed=seed)
        eta(random_inputs())
        planes.append(eta.non_trainable_weights[0].numpy())
    np.testing.assert_array_equal(planes[0], planes[1])
    assert np.abs(planes[0] - planes[2]).max() > 0.1


@pytest.mark.parametrize("name", ["num_hashes", "top_k", "num_heads"])
def test_bad_sizes(name):
    with pytest.raises(ValueError, match=rf">= 1\. Received: {name}=0\."):
        ETA(**{name: 0})


def test_heads_have_to_share_out_the_width():
    with pytest.raises(ValueError, match=r"num_heads=3, width=4\."):
        ETA(num_heads=3)(random_inputs())
