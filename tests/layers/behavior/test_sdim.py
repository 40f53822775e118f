"""SDIM: bucket sums against a loop, and the chance to share a bucket."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.layers import SDIM

B, C, T, D = 3, 2, 7, 4
LENGTHS = np.array([T, 4, 0])


def tensors(events, mask, target):
    return {
        "events": tf.constant(events, tf.float32),
        "mask": tf.constant(mask),
        "target": tf.constant(target, tf.float32),
    }


@pytest.mark.parametrize("hash_width", [1, 2, 4])
def test_bucket_sums_against_a_loop(hash_width):
    random = np.random.default_rng(0)
    mask = np.arange(T) < LENGTHS[:, None]
    events = random.normal(size=(B, T, D)).astype(np.float32)
    target = random.normal(size=(B, C, D)).astype(np.float32)
    layer = SDIM(8, hash_width)
    padded = np.where(mask[..., None], events, np.nan)
    outputs = layer(tensors(padded, mask, target))
    [planes] = (weight.numpy() for weight in layer.weights)

    def signature(vector, group):
        first = group * hash_width
        return [
            vector @ planes[:, i] >= 0 for i in range(first, first + hash_width)
        ]

    groups = 8 // hash_width
    for b, c in np.ndindex(B, C):
        expected = np.zeros(D)
        for g in range(groups):
            total = np.zeros(D)
            for t in range(LENGTHS[b]):
                if signature(events[b, t], g) == signature(target[b, c], g):
                    total += events[b, t]
            length = np.sqrt(np.sum(total**2))
            expected += total / length / groups if length else 0
        np.testing.assert_allclose(
            outputs[b, c], expected, rtol=1e-4, atol=1e-5
        )


def test_like_and_unlike():
    # The same direction shares every bucket, the opposite one none.
    layer = SDIM()
    event = np.array([3.0, 4.0])
    target = np.array([event, 5 * event, -event])
    outputs = layer(tensors([[event]], [[True]], [target]))
    expected = [[[0.6, 0.8], [0.6, 0.8], [0, 0]]]
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


@pytest.mark.parametrize("hash_width", [1, 3])
def test_the_chance_to_share_a_bucket(hash_width):
    # At an angle of pi / 4, each bit is the same with probability 3 / 4. The
    # share over 2000 signatures has a standard deviation of 0.011 at most.
    layer = SDIM(2000 * hash_width, hash_width)
    outputs = layer(tensors([[[1.0, 0.0]]], [[True]], [[[1.0, 1.0]]]))
    np.testing.assert_allclose(outputs, [[[0.75**hash_width, 0]]], atol=0.04)


def test_the_seed_determines_the_planes():
    planes = []
    for seed in (0, 0, 1):
        layer = SDIM(seed=seed)
        layer(tensors(np.ones([1, 2, D]), np.ones([1, 2], bool), [[[1.0] * D]]))
        planes.append(layer.weights[0].numpy())
    np.testing.assert_array_equal(planes[0], planes[1])
    assert np.abs(planes[0] - planes[2]).max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_hashes": 0}, r">= 1\. Received: num_hashes=0\."),
        ({"hash_width": 0}, r">= 1\. Received: hash_width=0\."),
        (
            {"num_hashes": 8, "hash_width": 3},
            r"divide `num_hashes`\. Received: num_hashes=8, hash_width=3\.",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SDIM(**arguments)
