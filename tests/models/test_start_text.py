import numpy as np
import pytest

from tfadrec.models.start_text import _scale

ROWS = 200_000


def clicks(logits, seed=0):
    random = np.random.default_rng(seed)
    return (random.random(len(logits)) < 1 / (1 + np.exp(-logits))).astype(int)


@pytest.mark.parametrize(("factor", "level"), [(0.5, -2.0), (2.0, 1.0)])
def test_the_factor_that_made_the_clicks_is_found(factor, level):
    x = np.random.default_rng(1).normal(0.7, 1.4, ROWS)
    labels = clicks(factor * x + level)
    assert _scale(x, labels, np.ones(ROWS)) == pytest.approx(factor, rel=0.03)


def test_texts_that_tell_nothing_or_the_contrary_count_nothing():
    x = np.random.default_rng(1).normal(0.7, 1.4, ROWS)
    assert _scale(x, clicks(-0.5 * x), np.ones(ROWS)) == 0.0
    unlike = _scale(x, clicks(np.full(ROWS, -2.0)), np.ones(ROWS))
    assert unlike == pytest.approx(0.0, abs=0.01)


def test_rows_of_more_weight_count_more():
    x = np.random.default_rng(1).normal(0, 1, ROWS)
    labels = clicks(np.where(np.arange(ROWS) % 2, 1.0, 0.2) * x)
    weights = np.where(np.arange(ROWS) % 2, 1.0, 0.0)
    assert _scale(x, labels, weights) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("label", [0, 1])
def test_rows_that_cannot_tell_leave_it_at_one(label):
    zeros = np.zeros(100)
    labels = np.full(100, label)
    assert _scale(zeros, labels, np.ones(100)) == pytest.approx(1.0, abs=1e-6)
