import itertools
import math
import subprocess
import sys
import time

import numpy as np
import pytest
import sklearn.metrics

from tfadrec.core.errors import InputError
from tfadrec.metrics import ranking, rows


def sample(n, rate, seed, ties):
    """Labels, logits, groups; with `ties`, logits have one decimal."""
    rng = np.random.default_rng(seed)
    centre = np.log(rate / (1 - rate))
    logits = rng.normal(centre, 1.0, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-logits))).astype(np.int8)
    if ties:
        logits = logits.round(1)
    return labels, logits.astype(np.float32), rng.integers(0, n // 8, n)


CASES = [
    pytest.param(rate, ties, id=f"rate {rate}, ties {ties}")
    for rate in (0.01, 0.3)
    for ties in (False, True)
]


@pytest.mark.parametrize(("rate", "ties"), CASES)
def test_auc_is_scikit_learns(rate, ties):
    labels, logits, _ = sample(20_000, rate, 1, ties)
    expected = sklearn.metrics.roc_auc_score(labels, logits)
    assert ranking.auc(labels, logits) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("rate", "ties"), CASES)
def test_group_auc_is_a_loop_over_users(rate, ties):
    labels, logits, users = sample(1_000, rate, 2, ties)
    total = weight = 0.0
    for user in np.unique(users):
        mine = users == user
        if 0 < labels[mine].sum() < mine.sum():
            total += mine.sum() * sklearn.metrics.roc_auc_score(
                labels[mine], logits[mine]
            )
            weight += mine.sum()
    assert ranking.group_auc(labels, logits, users) == pytest.approx(
        total / weight, abs=1e-12
    )


@pytest.mark.parametrize(("rate", "ties"), CASES)
@pytest.mark.parametrize("k", [1, 3, 10])
def test_ndcg_is_scikit_learns_per_request(rate, ties, k):
    labels, logits, requests = sample(1_000, rate, 3, ties)
    values = [
        sklearn.metrics.ndcg_score([labels[mine]], [logits[mine]], k=k)
        for mine in (requests == r for r in np.unique(requests))
        if 0 < labels[mine].sum() < mine.sum()
    ]
    assert ranking.ndcg(labels, logits, requests, k) == pytest.approx(
        np.mean(values), abs=1e-12
    )


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_mrr_is_a_loop_over_requests(rate):
    labels, logits, requests = sample(1_000, rate, 4, ties=False)
    values = []
    for request in np.unique(requests):
        mine = requests == request
        if 0 < labels[mine].sum() < mine.sum():
            ordered = labels[mine][np.argsort(-logits[mine])]
            values.append(1 / (1 + ordered.argmax()))
    assert ranking.mrr(labels, logits, requests) == pytest.approx(
        np.mean(values), abs=1e-12
    )


def every_order(labels, scores):
    """All orders by falling score, ties permuted."""
    rows = range(len(labels))
    for order in itertools.permutations(rows):
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order)):
            yield [labels[row] for row in order]


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([1, 0, 0, 1, 0], [2, 2, 2, 2, 2]),
        ([0, 1, 0, 1, 0], [3, 2, 2, 2, 1]),
        ([0, 0, 1, 1, 1, 0], [5, 5, 1, 1, 5, 1]),
    ],
)
def test_ties_give_the_mean_over_all_orders(labels, scores):
    orders = list(every_order(labels, scores))
    first_click = [1 / (1 + order.index(1)) for order in orders]
    assert ranking.mrr(labels, scores, [7] * len(labels)) == pytest.approx(
        np.mean(first_click), abs=1e-12
    )
    k = 3
    discounts = [1 / math.log2(rank + 2) for rank in range(k)]
    best = sum(discounts[: sum(labels)])
    gains = [
        sum(y * d for y, d in zip(order, discounts, strict=False)) / best
        for order in orders
    ]
    assert ranking.ndcg(labels, scores, [7] * len(labels), k) == pytest.approx(
        np.mean(gains), abs=1e-12
    )


def test_constant_scores_earn_what_a_random_order_earns():
    labels = np.tile([1, 0, 0, 0], 50)
    requests = np.repeat(np.arange(50), 4)
    scores = np.zeros(200)
    assert ranking.auc(labels, scores) == 0.5
    assert ranking.group_auc(labels, scores, requests) == 0.5
    # One click, at rank 1, 2, 3 or 4 with equal chance.
    assert ranking.mrr(labels, scores, requests) == pytest.approx(
        (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    )
    assert ranking.ndcg(labels, scores, requests, 2) == pytest.approx(
        (1 + 1 / math.log2(3)) / 4
    )


def test_auc_by_hand():
    # Clicks at 3 and 1, others at 2 and 1: 3 beats both, 1 loses and ties.
    assert ranking.auc([1, 0, 1, 0], [3, 2, 1, 1]) == (1 + 1 + 0 + 0.5) / 4


def test_group_auc_by_hand():
    # User a: 3 impressions, AUC 1. User b: 2, AUC 0. User c: no click.
    labels = [1, 0, 0, 1, 0, 0]
    scores = [9, 8, 7, 1, 2, 5]
    users = ["a", "a", "a", "b", "b", "c"]
    assert ranking.group_auc(labels, scores, users) == pytest.approx(3 / 5)


def test_ndcg_and_mrr_by_hand():
    # Request 0: clicks at ranks 2 and 3. Request 1: at rank 1. Request 2 has
    # clicks only and request 3 none: neither says anything about the order.
    labels = [0, 1, 1, 1, 0, 1, 0, 0]
    scores = [3, 2, 1, 5, 4, 0, 1, 2]
    requests = [0, 0, 0, 1, 1, 2, 3, 3]
    first = (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert ranking.ndcg(labels, scores, requests, 10) == pytest.approx(
        (first + 1) / 2
    )
    assert ranking.mrr(labels, scores, requests) == pytest.approx(
        (1 / 2 + 1) / 2
    )
    # At k = 1 the first request earns nothing.
    assert ranking.ndcg(labels, scores, requests, 1) == pytest.approx(1 / 2)


def test_the_order_of_rows_does_not_matter():
    labels, logits, groups = sample(2_000, 0.2, 5, ties=True)
    shuffled = np.random.default_rng(6).permutation(2_000)
    for metric in (ranking.group_auc, ranking.mrr):
        assert metric(labels, logits, groups) == pytest.approx(
            metric(labels[shuffled], logits[shuffled], groups[shuffled]),
            abs=1e-12,
        )


@pytest.mark.parametrize("weighted", [False, True])
def test_many_groups_are_measured_range_by_range(monkeypatch, weighted):
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 500), rng.integers(0, 9, 500)
    weights = rng.random(500) if weighted else None
    # One group is larger than what is sorted at a time.
    groups = rng.choice([-3, 5, 8, 9, 1000], 500, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    expected = ranking.auc_by_group(labels, scores, groups, weights)
    assert len(expected[0]) == 5
    monkeypatch.setattr(rows, "_AT_ONCE", 90)
    found = ranking.auc_by_group(labels, scores, groups, weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_string_groups_are_like_integers():
    labels, logits, groups = sample(2_000, 0.2, 5, ties=True)
    assert ranking.group_auc(labels, logits, groups.astype(str)) == (
        pytest.approx(ranking.group_auc(labels, logits, groups), abs=1e-12)
    )


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_log_loss_is_scikit_learns(rate):
    labels, logits, _ = sample(20_000, rate, 7, ties=False)
    probs = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = sklearn.metrics.log_loss(labels, probs)
    assert ranking.log_loss(labels, logits) == pytest.approx(expected)


def test_log_loss_of_large_logits():
    # A wrong logit of 1000 costs 1000 nats; a right one of 50 costs e^-50.
    assert ranking.log_loss([0], [1000.0]) == 1000.0
    assert ranking.log_loss([1], [50.0]) == pytest.approx(
        math.exp(-50), rel=1e-12
    )


def test_normalized_entropy_of_the_base_rate_is_one():
    labels = np.zeros(1000)
    labels[:10] = 1
    base = np.full(1000, math.log(0.01 / 0.99))
    assert ranking.normalized_entropy(labels, base) == pytest.approx(1.0)
    # log 2 nats against the entropy of a rate of 1/4.
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert ranking.normalized_entropy([1, 0, 0, 0], np.zeros(4)) == (
        pytest.approx(math.log(2) / entropy)
    )


def test_calibration_ratio_by_hand():
    # Four times 1/2 predicted, one click observed.
    assert ranking.calibration_ratio([1, 0, 0, 0], [0.0] * 4) == 2.0
    assert ranking.calibration_ratio([1, 0], [-1000.0, 1000.0]) == 1.0


@pytest.mark.parametrize(("rate", "ties"), CASES)
def test_uauc_is_a_loop_over_users(rate, ties):
    labels, logits, users = sample(1_000, rate, 9, ties)
    values = [
        sklearn.metrics.roc_auc_score(labels[mine], logits[mine])
        for mine in (users == user for user in np.unique(users))
        if 0 < labels[mine].sum() < mine.sum()
    ]
    assert ranking.uauc(labels, logits, users) == pytest.approx(
        np.mean(values), abs=1e-12
    )


def test_uauc_by_hand():
    # User a: 3 impressions, AUC 1. User b: 2, AUC 0. User c: no click.
    labels = [1, 0, 0, 1, 0, 0]
    scores = [9, 8, 7, 1, 2, 5]
    assert ranking.uauc(labels, scores, ["a", "a", "a", "b", "b", "c"]) == 1 / 2


def test_amounts_are_scikit_learns():
    random = np.random.default_rng(10)
    amounts = random.lognormal(0, 1, 1000) * (random.random(1000) < 0.2)
    predictions = amounts + random.normal(0, 1, 1000)
    weights = random.random(1000)
    for metric, theirs in (
        (ranking.rmse, sklearn.metrics.root_mean_squared_error),
        (ranking.mae, sklearn.metrics.mean_absolute_error),
    ):
        assert metric(amounts, predictions) == pytest.approx(
            theirs(amounts, predictions), rel=1e-12
        )
        assert metric(amounts, predictions, weights) == pytest.approx(
            theirs(amounts, predictions, sample_weight=weights), rel=1e-12
        )


def test_amounts_by_hand():
    # Errors of 3 and -1.
    assert ranking.rmse([1, 4], [4.0, 3.0]) == pytest.approx(math.sqrt(5))
    assert ranking.mae([1, 4], [4.0, 3.0]) == 2.0
    assert ranking.mean_ratio([1, 4], [7.0, 3.0]) == 2.0
    assert ranking.mean_ratio([1, 4], [7.0, 3.0], [0, 2]) == 3 / 4
    assert math.isnan(ranking.mean_ratio([1, -1], [1.0, 1.0]))
    assert math.isnan(ranking.mean_ratio([0, 5], [1.0, 1.0], [1, 0]))


def by_group(metric):
    return lambda y, z, g, w=None: metric(y, z, g, w)


def without_groups(metric):
    return lambda y, z, g, w=None: metric(y, z, w)


WEIGHTED = {
    "auc": without_groups(ranking.auc),
    "group_auc": by_group(ranking.group_auc),
    "uauc": by_group(ranking.uauc),
    "log_loss": without_groups(ranking.log_loss),
    "normalized_entropy": without_groups(ranking.normalized_entropy),
    "calibration_ratio": without_groups(ranking.calibration_ratio),
    "rmse": without_groups(ranking.rmse),
    "mae": without_groups(ranking.mae),
    "mean_ratio": without_groups(ranking.mean_ratio),
}
every_weighted = pytest.mark.parametrize(
    "metric", WEIGHTED.values(), ids=WEIGHTED
)


@every_weighted
@pytest.mark.parametrize("ties", [False, True])
def test_a_weight_counts_as_so_many_equal_rows(metric, ties):
    labels, logits, users = sample(1_000, 0.2, 11, ties)
    weights = np.random.default_rng(12).integers(0, 5, 1_000)
    repeated = [np.repeat(x, weights) for x in (labels, logits, users)]
    found = metric(labels, logits, users, weights)
    assert found == pytest.approx(metric(*repeated), rel=1e-12)
    assert found != pytest.approx(metric(labels, logits, users), rel=1e-4)
    # Only the ratios count.
    for scale in (1 / 3, 1e-300, 1e300):
        scaled = metric(labels, logits, users, weights * scale)
        assert scaled == pytest.approx(found, rel=1e-9)


@every_weighted
def test_weights_of_one_change_nothing(metric):
    labels, logits, users = sample(1_000, 0.2, 13, ties=True)
    assert metric(labels, logits, users, np.ones(1_000)) == pytest.approx(
        metric(labels, logits, users), rel=1e-12
    )


def test_weights_of_scikit_learn():
    labels, logits, _ = sample(5_000, 0.1, 14, ties=True)
    weights = np.random.default_rng(15).random(5_000)
    assert ranking.auc(labels, logits, weights) == pytest.approx(
        sklearn.metrics.roc_auc_score(labels, logits, sample_weight=weights),
        abs=1e-12,
    )
    probs = 1 / (1 + np.exp(-logits.astype(np.float64)))
    assert ranking.log_loss(labels, logits, weights) == pytest.approx(
        sklearn.metrics.log_loss(labels, probs, sample_weight=weights)
    )


def test_an_aggregated_log():
    """Ads with 10 impressions and 2 clicks, and with 90 and 3."""
    labels, weights = [1, 0, 1, 0], [2, 8, 3, 87]
    scores = [math.log(2 / 8)] * 2 + [math.log(3 / 87)] * 2
    # Clicks of the first ad beat the second's 87 rows and tie with 8.
    wins = 2 * (87 + 8 / 2) + 3 * (87 / 2)
    assert ranking.auc(labels, scores, weights) == pytest.approx(
        wins / (5 * 95), rel=1e-12
    )
    assert ranking.calibration_ratio(labels, scores, weights) == pytest.approx(
        1.0, rel=1e-12
    )


def test_rows_of_weight_0_do_not_make_a_class():
    assert math.isnan(ranking.auc([1, 0], [0.1, 0.2], [1, 0]))
    assert math.isnan(ranking.normalized_entropy([1, 0], [0.1, 0.2], [1, 0]))
    assert math.isnan(ranking.calibration_ratio([1, 0], [0.1, 0.2], [0, 1]))
    # User 1 has one class left, user 2 has both.
    labels, scores, users = [1, 0, 1, 0], [0.1, 0.2, 0.4, 0.3], [1, 1, 2, 2]
    weights = [1, 0, 3, 1]
    for metric in (ranking.group_auc, ranking.uauc):
        assert metric(labels, scores, users) < 1
        assert metric(labels, scores, users, weights) == 1


def test_no_rounding_takes_an_auc_out_of_its_range():
    random = np.random.default_rng(16)
    for weights in random.random([200, 7]) + 1e-3:
        assert ranking.auc([1, 1, 1, 0, 0, 0, 0], range(7, 0, -1), weights) <= 1


@every_weighted
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "Weights must be one value per impression"),
        ([[1, 1]], "Weights must be one value per impression"),
        (1.0, "Weights must be one value per impression"),
        (["a", "b"], "Weights must be numbers"),
        ([1, -1], "Weights must be finite and >= 0. Received: -1.0 in 1 of 2"),
        ([1, math.nan], "Weights must be finite and >= 0. Received: nan"),
        ([1, math.inf], "Weights must be finite and >= 0. Received: inf"),
        ([0, 0], "needs a row with a weight > 0. Received: weights that are"),
    ],
)
def test_wrong_weights_are_refused(metric, weights, message):
    with pytest.raises(InputError, match=message):
        metric([0, 1], [0.1, 0.2], [1, 1], weights)


BAD_AMOUNTS = [
    ([0, 1, 1], [0.1, 0.2], "one value per impression"),
    ([], [], "at least one impression"),
    (["a", "b"], [0.1, 0.2], "Labels must be numbers"),
    ([0, math.nan], [0.1, 0.2], "Labels must be finite. Received: nan in 1 of"),
    ([0, 1], [0.1, math.inf], "Scores must be finite. Received: inf"),
    ([0, 1], ["a", "b"], "Scores must be numbers"),
]


@pytest.mark.parametrize(
    "metric", [ranking.rmse, ranking.mae, ranking.mean_ratio]
)
@pytest.mark.parametrize(("labels", "predictions", "message"), BAD_AMOUNTS)
def test_wrong_amounts_are_refused(metric, labels, predictions, message):
    with pytest.raises(InputError, match=message):
        metric(labels, predictions)


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        (ranking.auc, [1, 1]),
        (ranking.auc, [0, 0]),
        (ranking.normalized_entropy, [1, 1]),
        (ranking.normalized_entropy, [0, 0]),
        (ranking.calibration_ratio, [0, 0]),
        (lambda y, z: ranking.group_auc(y, z, [1, 2]), [0, 1]),
        (lambda y, z: ranking.uauc(y, z, [1, 2]), [0, 1]),
        (lambda y, z: ranking.ndcg(y, z, [1, 2], 3), [0, 1]),
        (lambda y, z: ranking.mrr(y, z, [1, 2]), [0, 1]),
    ],
)
def test_what_is_not_defined_is_nan(metric, labels):
    assert math.isnan(metric(labels, [0.1, 0.2]))


BAD = [
    ([0, 1, 1], [0.1, 0.2], "one value per impression"),
    ([[0, 1]], [[0.1, 0.2]], "one value per impression"),
    ([], [], "at least one impression"),
    ([0, 2], [0.1, 0.2], "Labels must be 0 or 1. Received: 2 in 1 of 2"),
    ([0, math.nan], [0.1, 0.2], "Labels must be 0 or 1. Received: nan"),
    (["a", "b"], [0.1, 0.2], "Labels must be 0 or 1. Received: 'a'"),
    ([0, 1], [0.1, math.nan], "Scores must be finite. Received: nan in 1 of 2"),
    ([0, 1], [0.1, math.inf], "Scores must be finite. Received: inf"),
    ([0, 1], ["a", "b"], "Scores must be numbers"),
]


@pytest.mark.parametrize(
    "metric",
    [
        ranking.auc,
        ranking.log_loss,
        ranking.normalized_entropy,
        ranking.calibration_ratio,
        lambda y, z: ranking.group_auc(y, z, [1, 1]),
        lambda y, z: ranking.uauc(y, z, [1, 1]),
        lambda y, z: ranking.ndcg(y, z, [1, 1], 3),
        lambda y, z: ranking.mrr(y, z, [1, 1]),
    ],
)
@pytest.mark.parametrize(("labels", "scores", "message"), BAD)
def test_wrong_input_is_refused(metric, labels, scores, message):
    with pytest.raises(InputError, match=message):
        metric(labels, scores)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2, 3], "Groups must be one value per impression"),
        ([1.0, 2.0], "Groups must be integers or strings"),
    ],
)
def test_wrong_groups_are_refused(groups, message):
    for metric in (
        ranking.group_auc,
        ranking.uauc,
        ranking.mrr,
        lambda y, z, g: ranking.ndcg(y, z, g, 3),
    ):
        with pytest.raises(InputError, match=message):
            metric([0, 1], [0.1, 0.2], groups)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_wrong_k_is_refused(k):
    with pytest.raises(InputError, match="`k` must be an integer >= 1"):
        ranking.ndcg([0, 1], [0.1, 0.2], [1, 1], k)


def test_a_million_rows_take_no_loop():
    labels, logits, groups = sample(1_000_000, 0.01, 8, ties=False)
    start = time.process_time()
    ranking.group_auc(labels, logits, groups)
    ranking.ndcg(labels, logits, groups, 10)
    ranking.mrr(labels, logits, groups)
    # About 1.2 s on one core; a loop over 125,000 groups takes far longer.
    assert time.process_time() - start < 10


def test_numpy_metrics_load_without_tensorflow():
    code = (
        "import sys; from tfadrec.metrics import ranking; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
