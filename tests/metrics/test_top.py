"""Against scikit-learn, and against every order of rows that tie."""

import itertools
import math

import numpy as np
import pytest
import sklearn.metrics

from tfadrec.core.errors import InputError
from tfadrec.metrics import exposure, policy, top


def by_all_orders(labels, scores, requests, k):
    """Mean hit rate, recall, and the share in which each row is chosen."""
    hits, recalls = [], []
    chosen = np.zeros(len(labels))
    for request in np.unique(requests):
        rows = np.flatnonzero(requests == request)
        orders = [
            order
            for order in itertools.permutations(rows)
            if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
        ]
        for order in orders:
            chosen[list(order[:k])] += 1 / len(orders)
        clicks = labels[rows].sum()
        if 0 < clicks < len(rows):
            found = [labels[list(order[:k])].sum() for order in orders]
            hits.append(np.mean([n > 0 for n in found]))
            recalls.append(np.mean(found) / clicks)
    return np.mean(hits), np.mean(recalls), chosen


@pytest.mark.parametrize("k", [1, 2, 3, 9])
def test_ties_stand_for_all_their_orders(k):
    rng = np.random.default_rng(k)
    requests = rng.permutation(np.repeat(np.arange(12), 5))
    labels = (rng.random(60) < 0.4).astype(float)
    scores = rng.integers(0, 3, 60).astype(float)
    hit, recall, chosen = by_all_orders(labels, scores, requests, k)
    assert top.hit_rate(labels, scores, requests, k) == pytest.approx(hit)
    assert top.recall(labels, scores, requests, k) == pytest.approx(recall)
    found = top.chosen(scores, requests, k)
    np.testing.assert_allclose(found, chosen, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_average_precision_is_sklearns(weighted):
    rng = np.random.default_rng(0)
    labels = rng.random(400) < 0.2
    scores = np.round(rng.normal(size=400) + labels, 1)
    weights = rng.random(400) if weighted else None
    expected = sklearn.metrics.average_precision_score(
        labels, scores, sample_weight=weights
    )
    assert top.pr_auc(labels, scores, weights) == pytest.approx(expected)


def test_nothing_to_find():
    for metric in (top.hit_rate, top.recall):
        assert math.isnan(metric([1, 1], [0.0, 1.0], [0, 0], 1))
        with pytest.raises(InputError, match="`k` must be an integer >= 1"):
            metric([1, 0], [0.0, 1.0], [0, 0], 0)
    assert math.isnan(top.pr_auc([0, 0], [0.0, 1.0]))


def test_diversity():
    """Of 1, 2 and 1 of 4: 1 - (1 + 4 + 1) / 16."""
    assert exposure.diversity([1, 2, 0, 1]) == 1 - 6 / 16
    assert exposure.diversity([0, 7]) == 0
    assert math.isnan(exposure.diversity([0, 0]))


def test_coverage_and_gini():
    assert exposure.coverage([0, 2, 1, 0]) == 0.5
    assert exposure.gini([3, 3, 3]) == pytest.approx(0)
    assert exposure.gini([0, 0, 0, 5]) == pytest.approx(3 / 4)
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 9, 30).astype(float)
    gaps = np.abs(shown[:, None] - shown).mean()
    assert exposure.gini(shown) == pytest.approx(gaps / 2 / shown.mean())
    assert math.isnan(exposure.gini([0, 0]))
    for wrong in ([], [[1]], [-1], [float("nan")]):
        with pytest.raises(InputError, match="exposures must be"):
            exposure.gini(wrong)


def test_what_choices_bring():
    """Of 2 choices: rows 0 and 2 whole; of 4 rows two are clicked."""
    chosen, clicked = [1, 0, 0.5, 0.5], [1, 1, 0, 1]
    # Clicks 1 + .5 of 2; conversions 1 of 1.5 clicks.
    assert policy.per_choice(chosen, clicked) == 0.75
    assert policy.per_click(chosen, clicked, [1, 1, 0, 0]) == 1 / 1.5
    # Revenue 4 + 1 = 5, cost 1 + .5 + .5 = 2.
    assert policy.roi(chosen, [4, 9, 0, 2], [1, 1, 1, 1]) == 1.5
    assert math.isnan(policy.roi(chosen, [1] * 4, [0] * 4))
    assert math.isnan(policy.per_choice([0] * 4, clicked))
    with pytest.raises(InputError, match="one value each"):
        policy.per_choice(chosen, [1])
    with pytest.raises(InputError, match="must be finite"):
        policy.per_choice(chosen, [1, 0, 0, float("inf")])


def test_ad_quality():
    found = policy.quality([0.25, 0.0, 1.0], [1.0, 1.0, 0.5], 0.5)
    assert found == pytest.approx([0.5, 0, 0.5**0.5])
    # 0.25 ^ 0.75 is 0.3536.
    assert policy.quality([0.25], [1.0], 0.75) == pytest.approx([0.25**0.75])
    with pytest.raises(InputError, match=r"relevance must lie in .*: -0\.5 "):
        policy.quality([-0.5], [0.5])
    with pytest.raises(InputError, match="`weight` must lie in"):
        policy.quality([0.5], [0.5], 2)
