"""The in-batch softmax against the task of tensorflow-recommenders."""

import numpy as np
import pytest
import tensorflow_recommenders as tfrs

from tfadrec.core.door import keras, tf
from tfadrec.ops.in_batch_softmax import in_batch_softmax


def test_it_is_the_loss_of_tensorflow_recommenders():
    random = np.random.default_rng(0)
    users, ads = random.normal(size=(2, 7, 4)).astype(np.float32)
    items = np.array([3, 1, 3, 2, 2, 5, 3])
    ads = ads[items]
    shares = np.linspace(0.1, 0.7, 6, dtype=np.float32)[items]
    is_positive = np.arange(7) != 3
    task = tfrs.tasks.Retrieval(
        keras.losses.CategoricalCrossentropy(
            from_logits=True, reduction=keras.losses.Reduction.NONE
        ),
        remove_accidental_hits=True,
    )
    expected = task(
        users,
        ads,
        candidate_sampling_probability=tf.constant(shares),
        candidate_ids=tf.constant(items),
        score_mask=tf.constant(is_positive | np.eye(7, dtype=bool)),
    )
    found = in_batch_softmax(users @ ads.T, items, shares, is_positive)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.ptp(found) > 0.1


@pytest.mark.parametrize("of_each", [False, True])
def test_items_that_are_no_row_s_are_negatives_of_all_others(of_each):
    """The same for all rows, or each row's own."""
    random = np.random.default_rng(1)
    scores = random.normal(size=(3, 7))
    items = np.tile([4, 1, 4, 2, 1, 9, 9], [3, 1])
    if of_each:
        items[1, 3:] = [1, 3, 4, 0]
    expected = random.random((3, 7)) + 0.1
    is_positive = np.array([True, False, True])
    logits = np.exp(scores) / expected
    others = [[3, 4, 5, 6], [0, 2, 3, 5, 6], [3, 4, 5, 6]]
    if of_each:
        others[1] = [0, 2, 4, 5, 6]
    wanted = []
    for row, met in enumerate(others):
        total = logits[row, row] + logits[row, met].sum()
        wanted.append(-np.log(logits[row, row] / total))
    found = in_batch_softmax(
        tf.constant(scores, tf.float32),
        tf.constant(items if of_each else items[0]),
        tf.constant(expected, tf.float32),
        tf.constant(is_positive),
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
