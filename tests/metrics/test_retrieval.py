"""Metrics of retrieval against every order of equal scores."""

import itertools

import numpy as np
import pytest

from tfadrec.metrics import retrieval


def by_every_order(scores, relevant, k):
    """Recall and NDCG, the mean over all orders that the scores allow."""
    orders = [
        order
        for order in itertools.permutations(range(len(scores)))
        if (np.diff(scores[list(order)]) <= 0).all()
    ]
    ranks = np.array([order.index(relevant) + 1 for order in orders])
    is_found = ranks <= k
    return is_found.mean(), (is_found / np.log2(1 + ranks)).mean()


@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_of_equal_scores_the_order_is_random(k):
    random = np.random.default_rng(0)
    scores = random.integers(0, 3, (6, 5)).astype(float)
    relevant = random.integers(0, 5, 6)
    found = retrieval.places(scores, relevant)
    expected = np.mean(
        [by_every_order(*row, k) for row in zip(scores, relevant, strict=True)],
        axis=0,
    )
    assert retrieval.recall(*found, k) == pytest.approx(expected[0])
    assert retrieval.ndcg(*found, k) == pytest.approx(expected[1])
    assert 0 < expected[1] <= expected[0]
