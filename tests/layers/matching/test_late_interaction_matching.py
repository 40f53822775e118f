"""LateInteractionMatching, pair by pair."""

import numpy as np
import pytest

from tests.layers.matching import loops
from tfadrec.core.door import tf
from tfadrec.layers import LateInteractionMatching


def test_the_best_tokens_summed():
    arrays = loops.inputs()
    scores = np.zeros([loops.B, loops.C])
    weights = np.zeros([loops.B, loops.C, loops.T, loops.N])
    for b, c, i in np.ndindex(loops.B, loops.C, loops.T):
        user = arrays["user"][b, i] * arrays["user_mask"][b, i]
        products = [
            user @ v if real else -np.inf
            for v, real in zip(
                arrays["ad"][b, c], arrays["ad_mask"][b, c], strict=True
            )
        ]
        weights[b, c, i, np.argmax(products)] = 1
        if arrays["user_mask"][b, i]:
            scores[b, c] += max(products)
    layer = LateInteractionMatching()
    found = layer(loops.tensors(arrays), return_weights=True)
    np.testing.assert_allclose(found[0], scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[1], weights)


def test_by_hand():
    # u_1 = (1, 0) meets -2 and -1, u_2 = (0, 1) meets 3 and -4, and neither
    # the padding's 5, nor the 0 that stands in for it: -1 + 3 = 2.
    inputs = {
        "user": tf.constant([[[1.0, 0.0], [0.0, 1.0]]]),
        "user_mask": tf.constant([[True, True]]),
        "ad": tf.constant([[[[-2.0, 3.0], [-1.0, -4.0], [5.0, 5.0]]]]),
        "ad_mask": tf.constant([[[True, True, False]]]),
    }
    scores, weights = LateInteractionMatching()(inputs, return_weights=True)
    np.testing.assert_array_equal(scores, [[2]])
    np.testing.assert_array_equal(weights, [[[[0, 1, 0], [1, 0, 0]]]])
    for pooling, expected in (("mean", 1), ("max", 3)):
        pooled = LateInteractionMatching(pooling)(inputs)
        np.testing.assert_array_equal(pooled, [[expected]])


def test_no_real_token():
    inputs = {
        "user": tf.ones([1, 2, 3]),
        "user_mask": tf.ones([1, 2], tf.bool),
        "ad": tf.ones([1, 1, 2, 3]),
        "ad_mask": tf.zeros([1, 1, 2], tf.bool),
    }
    scores, weights = LateInteractionMatching()(inputs, return_weights=True)
    np.testing.assert_array_equal(scores, [[0]])
    np.testing.assert_array_equal(weights, np.zeros([1, 1, 2, 2]))


def test_an_unknown_pooling():
    with pytest.raises(ValueError, match=r"mean, sum, max. Received.*'median'"):
        LateInteractionMatching("median")
