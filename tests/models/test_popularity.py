"""Popularity by hand."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.models import Popularity

ADS = np.array([1, 1, 1, 2, 4], np.int32)
CLICKED = np.array([1, 1, 0, 0, 1], np.float32)


def batches(ads, size=2):
    ads = tf.constant(ads, tf.int32)
    data = tf.data.Dataset.from_tensor_slices(({"candidate_ads": ads}, ads))
    return data.batch(size)


def test_by_hand():
    # p = 3/5 and m = 5, so m p = 3. Ad 1: (2 + 3) / (3 + 5) = 5/8; ad 2:
    # 3 / 6; ad 4: 4 / 6; ads 3, 0 and 9 were never shown: 3/5.
    model = Popularity(prior_impressions=5).fit(ADS, CLICKED)
    logits = model.predict(batches([1, 2, 4, 3, 0, 9, 1]))["clicked"]
    probs = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(
        probs, [5 / 8, 1 / 2, 2 / 3, 3 / 5, 3 / 5, 3 / 5, 5 / 8], rtol=1e-6
    )
    assert logits.dtype == np.float32


def test_the_prior_is_worth_ten_impressions():
    logits = Popularity().fit(ADS, CLICKED).predict(batches([1]))["clicked"]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), [8 / 13], rtol=1e-6)


@pytest.mark.parametrize("prior", [0, -1])
def test_a_bad_prior(prior):
    with pytest.raises(ValueError, match=rf"> 0\. Received: .*={prior}"):
        Popularity(prior)


@pytest.mark.parametrize("clicked", [[], [0, 0], [1, 1]])
def test_labels_without_both_kinds(clicked):
    with pytest.raises(
        ValueError, match=r"clicks and .*without one\. Received: "
    ):
        Popularity().fit(np.arange(len(clicked)), np.array(clicked, float))
