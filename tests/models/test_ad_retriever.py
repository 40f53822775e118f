"""The retriever's loss in NumPy, and what it finds."""

import numpy as np
import pytest

from tests.models import tastes
from tfadrec import evaluation, layers, models, optimizers
from tfadrec.core.door import keras, tf


def made(train, **arguments):
    keras.utils.set_random_seed(0)
    arguments = {"ad_tower": {"width": 8}, **arguments}
    return models.AdRetriever.for_dataset(train, **arguments)


def test_the_loss():
    """Of clicked rows; an ad that comes twice is no negative of itself."""
    train, _ = tastes.parts()
    retriever = made(train)
    random = np.random.default_rng(0)
    for variable in retriever.trainable_variables:
        variable.assign(random.normal(0, 0.3, variable.shape))
    inputs, labels = next(iter(train.batches(40)))
    weight = tf.constant(random.random(40), tf.float32)
    ads = inputs["candidate_ads"].numpy()
    clicked = labels["clicked"].numpy()
    assert len(set(ads)) < 40
    assert 0 < clicked.sum() < 40
    counts = np.ones(tastes.ADS + 1)
    np.add.at(
        counts, train.impressions.ads, train.impressions.labels["clicked"]
    )
    vectors = {k: v.numpy() for k, v in retriever(inputs).items()}
    total = 0.0
    for row in np.flatnonzero(clicked):
        logits = vectors["ad"] @ vectors["user"][row]
        logits -= np.log(counts[ads] / counts.sum())
        is_other = (clicked > 0) & (ads != ads[row])
        sums = np.exp(logits[row]) + np.exp(logits[is_other]).sum()
        total += weight[row] * (np.log(sums) - logits[row])
    expected = total / np.sum(weight * clicked)
    found = retriever.compute_loss((inputs, labels, weight))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_loss_of_a_ranker_s_logits():
    train, _ = tastes.parts()
    retriever = made(train)
    random = np.random.default_rng(0)
    for variable in retriever.trainable_variables:
        variable.assign(random.normal(0, 0.3, variable.shape))
    inputs, _ = next(iter(train.batches(5)))
    slates = random.integers(1, tastes.ADS + 1, (5, 7)).astype(np.int32)
    logits = random.normal(size=(5, 7)).astype(np.float32)
    ads = retriever.catalogue_vectors()
    total = 0.0
    for row, user in enumerate(retriever(inputs)["user"].numpy()):
        scores = ads[slates[row]] @ user
        shares = np.exp(logits[row]) / np.exp(logits[row]).sum()
        total -= shares @ (scores - np.log(np.exp(scores).sum()))
    found = retriever.compute_loss(
        ({**inputs, "candidate_ads": slates}, {"logits": logits})
    )
    np.testing.assert_allclose(found, total / 5, rtol=1e-4)


def test_a_batch_without_clicks_has_no_loss():
    train, _ = tastes.parts()
    inputs, labels = next(iter(train.batches(8)))
    nothing = {"clicked": tf.zeros_like(labels["clicked"])}
    assert made(train).compute_loss((inputs, nothing)).numpy() == 0


def test_the_vectors_of_the_catalogue_are_those_of_its_ads():
    train, _ = tastes.parts()
    retriever = made(train)
    inputs, _ = next(iter(train.batches(30)))
    vectors = retriever.catalogue_vectors()
    assert vectors.shape == (tastes.ADS + 1, 9)
    np.testing.assert_allclose(
        retriever(inputs)["ad"], vectors[inputs["candidate_ads"]], atol=1e-6
    )
    # A user's last number is 1: the bias of an ad is added as it is.
    np.testing.assert_array_equal(retriever(inputs)["user"][:, -1], 1)


def test_users_are_also_the_sum_of_their_history_s_ads():
    """By the root of their number; nothing where there are none."""
    train, _ = tastes.parts()
    retriever = made(train)
    random = np.random.default_rng(0)
    for variable in retriever.trainable_variables:
        variable.assign(random.normal(0, 0.3, variable.shape))
    inputs, _ = next(iter(train.batches(30)))
    lengths = inputs["history_length"].numpy()
    lengths[0] = 0
    inputs = {**inputs, "history_length": tf.constant(lengths)}
    ads = retriever.catalogue_vectors()[:, :-1][inputs["history_ads"]]
    expected = retriever.user_tower(
        {
            **inputs,
            "history_vectors": tf.constant(ads),
            "target": tf.zeros([30, 2, 8]),
        }
    )["user"][:, 0].numpy()
    for row, length in enumerate(lengths):
        if length:
            expected[row] += ads[row, :length].sum(axis=0) / length**0.5
    found = retriever(inputs)["user"][:, :-1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_an_encoder_that_looks_at_candidates_is_refused():
    train, _ = tastes.parts()
    retriever = made(train, encoder=layers.DIN())
    inputs, _ = next(iter(train.batches(4)))
    with pytest.raises(ValueError, match=r"Received: DIN\. Choose GRU"):
        retriever(inputs)


def test_new_ads_are_found_by_their_copy():
    """Popularity cannot tell them apart; one in four is of the taste.

    Copy that is alike has vectors that are alike before anything is learned.
    """
    train, test = tastes.parts()
    retriever = made(train)
    retriever.compile(optimizers.LazyAdam(0.02))
    before = evaluation.evaluate_retrieval(retriever, test, train, ks=(15,))
    retriever.fit(
        train.batches(64, seed=0), steps_per_epoch=40, epochs=1, verbose=0
    )
    found = evaluation.evaluate_retrieval(retriever, test, train, ks=(15,))
    assert before["retriever"]["recall@15"] > 0.9
    assert found["retriever"]["recall@15"] > 0.95
    assert found["popularity"]["recall@15"] == 0
    assert found["item_to_item"]["recall@15"] < 0.1
