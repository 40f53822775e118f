"""Rows that are read block by block and sorted range by range."""

import tracemalloc

import numpy as np
import pytest

from tfadrec.core.errors import InputError
from tfadrec.metrics import probabilities, ranking, rows, top


def _relative(bins):
    return lambda y, z, u, r, w, **p: np.stack(
        probabilities.reliability(y, z, w, bins=bins, **p)
    )


#: All metrics of labels, scores, users, requests and weights.
METRICS = {
    "auc": lambda y, z, u, r, w, **p: ranking.auc(y, z, w, **p),
    "group_auc": lambda y, z, u, r, w, **p: ranking.group_auc(y, z, u, w, **p),
    "uauc": lambda y, z, u, r, w, **p: ranking.uauc(y, z, u, w, **p),
    "auc_by_group": lambda y, z, u, r, w, **p: np.stack(
        ranking.auc_by_group(y, z, u, w, **p)
    ),
    "log_loss": lambda y, z, u, r, w, **p: ranking.log_loss(y, z, w, **p),
    "normalized_entropy": lambda y, z, u, r, w, **p: ranking.normalized_entropy(
        y, z, w, **p
    ),
    "calibration_ratio": lambda y, z, u, r, w, **p: ranking.calibration_ratio(
        y, z, w, **p
    ),
    "rmse": lambda y, z, u, r, w, **p: ranking.rmse(y, z, w, **p),
    "mae": lambda y, z, u, r, w, **p: ranking.mae(y, z, w, **p),
    "mean_ratio": lambda y, z, u, r, w, **p: ranking.mean_ratio(y, z, w, **p),
    "ndcg": lambda y, z, u, r, w, **p: ranking.ndcg(y, z, r, 3, **p),
    "mrr": lambda y, z, u, r, w, **p: ranking.mrr(y, z, r, **p),
    "hit_rate": lambda y, z, u, r, w, **p: top.hit_rate(y, z, r, 3, **p),
    "recall": lambda y, z, u, r, w, **p: top.recall(y, z, r, 3, **p),
    "pr_auc": lambda y, z, u, r, w, **p: top.pr_auc(y, z, w, **p),
    "brier_score": lambda y, z, u, r, w, **p: probabilities.brier_score(
        y, z, w, **p
    ),
    "calibration_error": lambda y, z, u, r, w, **p: (
        probabilities.calibration_error(y, z, w, **p)
    ),
    "reliability": _relative(7),
    "predicted_over_observed": lambda y, z, u, r, w, **p: np.array(
        probabilities.predicted_over_observed(y, z, w, groups=u, **p)
    ),
    "field_error": lambda y, z, u, r, w, **p: probabilities.field_error(
        y, z, u, w, **p
    ),
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def sample(n, kind="ties", weighted=False):
    """Labels, scores, users of whom one has half of the rows, and requests."""
    random = np.random.default_rng(0)
    scores = random.normal(-1, 1, n).astype(np.float32)
    scores = {
        "distinct": scores,
        "ties": scores.round(1),
        "half is one tie": np.where(random.random(n) < 0.5, 0, scores),
        "constant": np.zeros(n, np.float32),
    }[kind]
    labels = (random.random(n) < 0.3).astype(np.float32)
    users = random.integers(1, n // 8, n, np.int32)
    users[random.random(n) < 0.5] = 0
    requests = random.integers(0, n // 5, n) << 54
    weights = random.random(n) * (random.random(n) < 0.9) if weighted else None
    return labels, scores, users, requests, weights


@every_metric
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "kind", ["distinct", "ties", "half is one tie", "constant"]
)
def test_blocks_and_ranges_change_nothing(monkeypatch, metric, kind, weighted):
    given = sample(1500, kind, weighted)
    expected = metric(*given)
    monkeypatch.setattr(rows, "_AT_ONCE", 100)
    monkeypatch.setattr(rows, "_BLOCK", 37)
    monkeypatch.setattr(rows, "_SAMPLED", 4)
    np.testing.assert_allclose(metric(*given), expected, rtol=1e-9)


@every_metric
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_rows_that_a_mask_names_are_those_rows(
    monkeypatch, metric, weighted, share
):
    monkeypatch.setattr(rows, "_BLOCK", 200)
    given = sample(1500, "ties", weighted)
    part = np.random.default_rng(1).random(1500) < share
    # Blocks of all rows, of none, and of some.
    part[:200], part[200:600] = True, False
    alone = [None if values is None else values[part] for values in given]
    # What does not count may be anything.
    for values in given[:2]:
        values[~part] = np.nan
    found = metric(*given, where=part)
    np.testing.assert_allclose(found, metric(*alone), rtol=1e-12)


@pytest.mark.parametrize("kind", ["distinct", "half is one tie", "constant"])
def test_what_is_chosen_is_so_range_by_range(monkeypatch, kind):
    _, scores, users, *_ = sample(1500, kind)
    expected = top.chosen(scores, users, 3)
    assert expected.sum() == pytest.approx(
        np.minimum(np.unique(users, return_counts=True)[1], 3).sum()
    )
    monkeypatch.setattr(rows, "_AT_ONCE", 100)
    monkeypatch.setattr(rows, "_BLOCK", 37)
    np.testing.assert_allclose(top.chosen(scores, users, 3), expected)


@every_metric
@pytest.mark.parametrize("kind", ["distinct", "constant"])
def test_memory_does_not_grow_with_the_rows(monkeypatch, metric, kind):
    """At most 6 bytes a row, where arrays of all rows took 25 to 113."""
    monkeypatch.setattr(rows, "_AT_ONCE", 1 << 12)
    monkeypatch.setattr(rows, "_BLOCK", 1 << 12)
    n = 200_000
    labels, scores, *_ = sample(n, kind)
    users = np.arange(n, dtype=np.int32) // 8
    given = (labels, scores, users, users, None)
    metric(*(None if values is None else values[:2000] for values in given))
    tracemalloc.start()
    try:
        metric(*given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * n


@pytest.mark.parametrize(
    "where", [[1, 0], [True], [[True, True]], ["a", "b"]], ids=str
)
def test_a_wrong_mask_is_refused(where):
    with pytest.raises(InputError, match="`where` must be one bool per"):
        ranking.auc([0, 1], [0.1, 0.2], where=where)


def test_a_mask_of_no_row_is_refused():
    with pytest.raises(InputError, match="at least one impression"):
        ranking.auc([0, 1], [0.1, 0.2], where=[False, False])
