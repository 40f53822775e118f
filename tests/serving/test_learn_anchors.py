"""What a ranker likes is found by what it says of a few ads."""

import logging

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.serving import learn_anchors
from tfadrec.serving.learn_anchors import catalogue_vectors


def found(rounds):
    """The share of the ranker's ten best ads among the 50 found, of 1,100.

    The users are others than those that were learned from.
    """
    world = worlds.numbers()
    scorer = world.service._scorer
    users = world.dataset.impressions.users
    median = np.median(users)
    learned = world.dataset.select(np.flatnonzero(users < median))
    others = np.flatnonzero(users > median)[::7][:40]
    vectors = learn_anchors.learn_anchors(scorer, learned, rounds=rounds)
    request = scorer.requests.as_tensors(serving.replay(world.dataset, others))
    side = scorer.read_user(request)
    scores = scorer.rank_alike(*side, tf.range(worlds.NUM_ADS + 1)).numpy()
    best = 1 + np.argsort(-scores[:, 1:], axis=1)[:, :10]
    known = learn_anchors.known_of(scorer, side, vectors.anchors)
    queries = vectors.users(known)
    guesses = queries.numpy() @ catalogue_vectors(scorer, vectors).T
    given = 1 + np.argsort(-guesses[:, 1:], axis=1)[:, :50]
    pairs = zip(best, given, strict=True)
    return np.mean([np.isin(a, b).mean() for a, b in pairs])


@pytest.fixture
def small(monkeypatch):
    for name, value in {"_USERS": 64, "_ADS": 256, "ANCHORS": 64}.items():
        monkeypatch.setattr(learn_anchors, name, value)
    monkeypatch.setattr(learn_anchors, "_STEPS", 200)


def test_the_ads_that_a_ranker_likes_are_found(small, caplog):
    """It takes minutes of a large catalogue, and says where it is."""
    with caplog.at_level(logging.INFO, "tfadrec.serving"):
        assert found(rounds=2) > 0.9
    assert caplog.messages == [
        "Ranking ads at random, to learn to find others",
        "Learning to find ads, round 1 of 2",
        "Learning to find ads, round 2 of 2",
    ]


@pytest.mark.slow
def test_without_learning_they_are_not(small, monkeypatch):
    monkeypatch.setattr(learn_anchors, "_STEPS", 0)
    assert found(rounds=1) < 0.5
