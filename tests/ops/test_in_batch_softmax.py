"""The in-batch softmax against the task of tensorflow-recommenders."""

import numpy as np
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
