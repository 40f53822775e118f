"""The best rows without some, against lists in Python."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.ops import top_rows


def test_the_first_that_are_not_unwanted():
    random = np.random.default_rng(0)
    rows = np.stack([random.permutation(np.arange(1, 21)) for _ in range(3)])
    scores = -np.sort(-random.normal(size=(3, 20)), axis=1)
    rows[2, 15:], scores[2, 15:] = 0, -np.inf
    # In no order, twice, row 0, and rows that are not there.
    unwanted = np.array([[20, 1, 1, 7], [0, 0, 0, 0], [99, 3, 0, 2]])
    best = (tf.constant(scores, tf.float32), tf.constant(rows, tf.int32))
    found, places = top_rows.drop(best, tf.constant(unwanted, tf.int32), 16)
    for number in range(3):
        left = [
            pair
            for pair in zip(rows[number], scores[number], strict=True)
            if pair[0] and pair[0] not in unwanted[number]
        ][:16]
        expected = [row for row, _ in left] + [0] * (16 - len(left))
        assert places[number].numpy().tolist() == expected
        told = found[number].numpy()
        np.testing.assert_allclose(
            told[: len(left)], [score for _, score in left], rtol=1e-6
        )
        assert np.isneginf(told[len(left) :]).all()


def test_nothing_is_unwanted():
    best = (tf.constant([[2.0, 1.0]]), tf.constant([[4, 3]]))
    found, rows = top_rows.drop(best, tf.zeros([1, 0], tf.int32), 1)
    assert (found.numpy().tolist(), rows.numpy().tolist()) == ([[2]], [[4]])
