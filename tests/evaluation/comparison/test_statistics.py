"""Metrics of samples: those of the rows as often as they were drawn."""

import numpy as np
import pytest

from tfadrec.evaluation.comparison.compared_rows import ComparedRows
from tfadrec.evaluation.comparison.statistics import STATISTICS
from tfadrec.metrics import ranking

UNITS, SAMPLES = 20, 5


def world(weighted, seed=0, n=300):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(np.float32)
    scores = np.round(rng.normal(size=n), 1)  # many are equal
    users = rng.integers(0, UNITS, n)
    weights = rng.random(n) if weighted else None
    drawn = rng.poisson(1.0, [UNITS, SAMPLES]).astype(np.float64)
    return ComparedRows(labels, users, users, UNITS, weights), scores, drawn


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric", STATISTICS)
def test_a_sample_is_the_metric_of_weighted_rows(metric, weighted):
    rows, scores, drawn = world(weighted)
    found = STATISTICS[metric](rows, scores)(drawn)
    name = {"gauc": "group_auc"}.get(metric, metric)
    groups = [rows.users] if metric == "gauc" else []
    each = 1 if rows.weights is None else rows.weights
    expected = [
        getattr(ranking, name)(
            rows.labels, scores, *groups, each * sample[rows.units]
        )
        for sample in drawn.T
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_auc(label):
    rows, scores, drawn = world(False)
    rows.labels[:] = label
    for metric in ("auc", "gauc"):
        assert np.isnan(STATISTICS[metric](rows, scores)(drawn)).all()


def test_samples_without_rows_are_nan():
    rows, scores, drawn = world(False)
    drawn[:, 1] = 0
    for make in STATISTICS.values():
        found = make(rows, scores)(drawn)
        assert np.flatnonzero(np.isnan(found)).tolist() == [1]
