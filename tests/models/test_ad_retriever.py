"""The retriever's loss in NumPy, and what it finds."""

import numpy as np
import pytest

from tests.models import tastes
from tfadrec import evaluation, layers, models, optimizers
from tfadrec.core.door import keras, tf
from tfadrec.models.catalogue_scores import catalogue_scores
from tfadrec.ops.in_batch_softmax import in_batch_softmax


def made(train, **arguments):
    keras.utils.set_random_seed(0)
    arguments = {"ad_tower": {"width": 8}, "interests": 1, **arguments}
    return models.AdRetriever.for_dataset(train, **arguments)


@pytest.mark.parametrize("hard", [0, 5])
def test_the_loss(hard, monkeypatch):
    """Of clicked rows; an ad that comes again is no negative of itself.

    The same holds for a hard one; each counts as often as it is met.
    """
    train, _ = tastes.parts()
    retriever = made(train, hard_negatives=hard)
    random = np.random.default_rng(0)
    for variable in retriever.trainable_variables:
        variable.assign(random.normal(0, 0.3, variable.shape))
    inputs, labels = next(iter(train.batches(40)))
    weight = tf.constant(random.random(40), tf.float32)
    asked = []

    def softmax(scores, items, *more):
        asked.append(np.broadcast_to(items, scores.shape))
        return in_batch_softmax(scores, items, *more)

    monkeypatch.setattr("tfadrec.models.ad_retriever.in_batch_softmax", softmax)
    found = retriever.compute_loss((inputs, labels, weight))
    (items,) = asked
    own = inputs["candidate_ads"].numpy()
    np.testing.assert_array_equal(items[:, :40], np.tile(own, [40, 1]))
    assert items.shape == (40, 40 + hard)
    clicked = labels["clicked"].numpy()
    assert len(set(own)) < 40
    assert 0 < clicked.sum() < 40
    counts = np.ones(tastes.ADS + 1)
    np.add.at(
        counts, train.impressions.ads, train.impressions.labels["clicked"]
    )
    met = clicked.sum() * counts / counts.sum()
    vectors = retriever.catalogue_vectors()
    users = retriever(inputs)["user"].numpy()
    total = 0.0
    for row in np.flatnonzero(clicked):
        weights = np.exp(vectors @ users[row])
        ads = items[row]
        others = (clicked > 0) & (own != own[row])
        sums = (weights / met)[own[others]].sum()
        # As of so many draws: each ad is one of 60.
        more = met + hard / 0.027 / tastes.ADS
        ads = ads[40:][ads[40:] != own[row]]
        sums += (weights / more)[ads].sum()
        wanted = weights[own[row]] / met[own[row]]
        total += weight[row] * np.log((sums + wanted) / wanted)
    expected = total / np.sum(weight * clicked)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_hard_negatives_are_those_that_the_model_puts_high():
    """By its own scores, never the ad of the row, and others in each step.

    The first six draws are of the best ad or two of 60; 61 are of three.
    """
    train, _ = tastes.parts()
    retriever = made(train, hard_negatives=8)
    random = np.random.default_rng(0)
    for variable in retriever.trainable_variables:
        variable.assign(random.normal(0, 0.3, variable.shape))
    inputs, labels = next(iter(train.batches(30)))
    state = retriever.get_weights()
    scores = retriever(inputs)["user"].numpy() @ (
        retriever.catalogue_vectors().T
    )
    own = inputs["candidate_ads"].numpy()
    scores[:, 0] = -np.inf
    scores[np.arange(30), own] = -np.inf
    best = np.argsort(-scores, axis=1)
    scores[np.arange(30), own] = 99  # the model puts it first

    def hard():
        every = tf.concat([own, retriever._drawn()], axis=0)
        all_scores = tf.gather(tf.constant(scores), every, axis=1)
        _, items, _ = retriever._met(all_scores, every, labels["clicked"])
        return items.numpy()[:, 30:]

    first, second = hard(), hard()
    assert first.shape == (30, 8)
    assert (first != second).any()
    for row in range(30):
        assert set(first[row]) <= set(best[row, :4])
    retriever.set_weights(state)
    np.testing.assert_array_equal(hard(), first)


def test_one_of_a_version_before_is_read():
    train, _ = tastes.parts()
    config = made(train).get_config()
    del config["hard_negatives"], config["interests"]
    read = models.AdRetriever.from_config(config)
    assert (read.hard_negatives, read.interests) == (0, 1)


@pytest.mark.parametrize("wrong", [{"hard_negatives": -1}, {"interests": 0}])
def test_numbers_below_their_least(wrong):
    train, _ = tastes.parts()
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf">= 1\. Received: .*{name}={value}"):
        made(train, **wrong)


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


def interests_of(retriever, inputs):
    """Users' vectors in NumPy, [B, K, D], of what the towers give."""
    ads = retriever.catalogue_vectors()[:, :-1][inputs["history_ads"]]
    read = retriever.user_tower(
        {
            **inputs,
            "history_vectors": tf.constant(ads),
            "target": tf.zeros([len(ads), 2, 8]),
        }
    )
    hidden, score = (
        next(w for w in retriever.weights if f"/{name}/kernel" in w.name)
        for name in ("hidden", "score")
    )
    logits = np.tanh(read["events"].numpy() @ hidden.numpy()) @ score.numpy()
    users = []
    for row, length in enumerate(inputs["history_length"].numpy()):
        own = np.exp(logits[row, :length])
        shares = own / own.sum(axis=0)  # [T, K]
        likes = shares.T @ ads[row, :length] * length**0.5
        users.append(read["user"][row].numpy() + likes)
    return np.stack(users)


def with_interests(train, **arguments):
    retriever = made(train, **{"interests": 3, **arguments})
    random = np.random.default_rng(0)
    for variable in retriever.trainable_variables:
        variable.assign(random.normal(0, 0.3, variable.shape))
    return retriever


def test_several_interests_are_shares_of_the_history():
    train, _ = tastes.parts()
    retriever = with_interests(train)
    inputs, _ = next(iter(train.batches(30)))
    expected = interests_of(retriever, inputs)
    found = retriever(inputs)["user"]
    assert found.shape == (30, 3, 9)
    np.testing.assert_allclose(found[..., :-1], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[..., -1], 1)
    assert np.ptp(expected, axis=1).max() > 0.1


def test_the_best_interest_scores_in_both_losses_and_in_the_catalogue():
    train, _ = tastes.parts()
    retriever = with_interests(train)
    inputs, labels = next(iter(train.batches(20)))
    ads = retriever.catalogue_vectors()
    users = interests_of(retriever, inputs)
    users = np.concatenate([users, np.ones([20, 3, 1])], axis=2)
    scores = np.max(users @ ads.T, axis=1)  # [B, N + 1]
    plain = {name: values.numpy() for name, values in inputs.items()}
    np.testing.assert_allclose(
        catalogue_scores(retriever)(plain), scores, rtol=1e-4, atol=1e-5
    )
    own = plain["candidate_ads"]
    clicked = labels["clicked"].numpy() > 0
    counts = np.ones(tastes.ADS + 1)
    np.add.at(
        counts, train.impressions.ads, train.impressions.labels["clicked"]
    )
    total = 0.0
    for row in np.flatnonzero(clicked):
        logits = scores[row][own] - np.log(counts[own])
        others = clicked & (own != own[row])
        sums = np.exp(logits[row]) + np.exp(logits[others]).sum()
        total += np.log(sums) - logits[row]
    found = retriever.compute_loss((inputs, labels))
    np.testing.assert_allclose(found, total / clicked.sum(), rtol=1e-4)
    random = np.random.default_rng(1)
    slates = random.integers(1, tastes.ADS + 1, (20, 7)).astype(np.int32)
    wanted = random.normal(size=(20, 7)).astype(np.float32)
    total = 0.0
    for row in range(20):
        logits = scores[row, slates[row]]
        shares = np.exp(wanted[row]) / np.exp(wanted[row]).sum()
        total -= shares @ (logits - np.log(np.exp(logits).sum()))
    found = retriever.compute_loss(
        ({**inputs, "candidate_ads": slates}, {"logits": wanted})
    )
    np.testing.assert_allclose(found, total / 20, rtol=1e-4)


def test_one_interest_adds_nothing_to_a_retriever():
    """It has the weights of the towers alone, and one vector of a user."""
    train, _ = tastes.parts()
    one, several = made(train, interests=1), made(train, interests=3)
    names = {weight.name for weight in one.weights}
    more = {weight.name for weight in several.weights} - names
    assert {name.rsplit("/", 2)[1] for name in more} == {"hidden", "score"}
    inputs, _ = next(iter(train.batches(8)))
    assert one(inputs)["user"].shape == (8, 9)


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
