"""Ranks of what is drawn, against a sort in NumPy."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.ops import hard_negatives


def test_they_are_of_the_ranks_from_6_to_60():
    """All of these come, and nothing else; the same seed gives the same."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(3, hard_negatives.DRAWN)).astype(np.float32)
    best = np.argsort(-scores, axis=1)
    scores[0, best[0, :2]] = -np.inf
    best[0] = np.argsort(-scores[0])
    seed = tf.constant([1, 2], tf.int64)
    found = hard_negatives.places(tf.constant(scores), 2000, seed).numpy()
    assert found.shape == (3, 2000)
    for row in range(3):
        assert set(found[row]) == set(best[row, 6:61])
    assert (found[0] != found[1]).any()
    again = hard_negatives.places(tf.constant(scores), 2000, seed)
    np.testing.assert_array_equal(again, found)
    share = (61 - 6) / hard_negatives.DRAWN
    np.testing.assert_allclose(share, hard_negatives.SHARE, rtol=0.01)
