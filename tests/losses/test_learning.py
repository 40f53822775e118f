"""Losses that are made small on slates whose truth is known."""

import numpy as np
import pytest

from tfadrec import losses
from tfadrec.core.door import keras, tf
from tfadrec.metrics import ranking

TRUTH = np.float32([1.0, -0.5, 0.25])


def world(seed=0, requests=800, size=8):
    """Features, clicks and a mask; each request has a level of its own."""
    random = np.random.default_rng(seed)
    features = random.normal(size=[requests, size, 3]).astype(np.float32)
    level = random.normal(-1.5, 1.0, [requests, 1])
    chance = 1 / (1 + np.exp(-(features @ TRUTH + level)))
    clicks = np.float32(random.random(chance.shape) < chance)
    mask = np.arange(size) < random.integers(1, size + 1, [requests, 1])
    return features, clicks, mask


@pytest.mark.parametrize(
    "settings",
    [
        "binary",
        "softmax",
        "ranknet",
        "lambda",
        "jrc",
        {"binary": 1.0, "softmax": 0.3},
    ],
    ids=str,
)
def test_the_order_of_the_truth_is_learned(settings):
    """The direction of the truth; and the level, where the loss fixes it."""
    loss = losses.get(settings)
    features, clicks, mask = world()
    kernel = tf.Variable(tf.zeros([3, loss.num_outputs]))
    bias = tf.Variable(tf.zeros([loss.num_outputs]))
    optimizer = keras.optimizers.Adam(0.1)

    def outputs():
        found = features @ kernel + bias
        return tf.squeeze(found, -1) if loss.num_outputs == 1 else found

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(loss.per_row(clicks, outputs(), mask))
            total /= mask.sum()
        gradients = tape.gradient(total, [kernel, bias])
        optimizer.apply_gradients(zip(gradients, [kernel, bias], strict=True))

    for _ in range(80):
        step()
    columns = np.c_[features[mask], np.ones(mask.sum())]
    score = loss.score(outputs()).numpy()[mask]
    direction = np.linalg.lstsq(columns, score, rcond=None)[0][:3]
    cosine = direction @ TRUTH
    cosine /= np.linalg.norm(direction) * np.linalg.norm(TRUTH)
    assert cosine > 0.985
    predicted = loss.expected(outputs()).numpy()[mask]
    ratio = ranking.mean_ratio(clicks[mask], predicted)
    assert (abs(ratio - 1) < 0.02) == loss.is_calibrated
