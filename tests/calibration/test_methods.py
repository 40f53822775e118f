"""Each curve: by hand, against scikit-learn, and on rows of its own kind."""

import json

import numpy as np
import pytest
import sklearn.isotonic
import sklearn.linear_model
import tensorflow as tf

from tfadrec.calibration import METHODS
from tfadrec.calibration.beta import Beta
from tfadrec.calibration.isotonic import Isotonic
from tfadrec.calibration.platt import Platt
from tfadrec.calibration.temperature import Temperature


def sample(truth=lambda z: z, n=20_000, seed=0, weighted=False):
    """Logits, labels of the true logit of each, and weights."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1, 1.5, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-truth(z)))).astype(np.float64)
    w = rng.integers(1, 4, n).astype(float) if weighted else np.ones(n)
    return z, y, w


def apply(method, z, dtype=tf.float64):
    return method(tf.constant(z, dtype)).numpy()


def test_platt_is_logistic_regression():
    z, y, w = sample(lambda z: 0.6 * z - 0.5, n=2000, weighted=True)
    found = Platt.fit(z, y, w)
    expected = sklearn.linear_model.LogisticRegression(
        C=np.inf, tol=1e-10, max_iter=1000
    ).fit(z[:, None], y, w)
    assert found.slope == pytest.approx(expected.coef_[0, 0], abs=1e-5)
    assert found.level == pytest.approx(expected.intercept_[0], abs=1e-5)


def test_temperature_by_its_condition():
    """At the best slope s the sum of w z (sigmoid(s z) - y) is 0."""
    z, y, w = sample(lambda z: z / 2.5, weighted=True)
    found = Temperature.fit(z, y, w)
    assert found.temperature == pytest.approx(2.5, rel=0.05)
    p = 1 / (1 + np.exp(-z / found.temperature))
    assert np.mean(w * z * (p - y)) == pytest.approx(0, abs=1e-8)


def test_beta_is_logistic_regression_on_both_logs():
    def truth(z):
        p = 1 / (1 + np.exp(-z))
        return 0.5 * np.log(p) - 1.5 * np.log1p(-p) - 0.3

    z, y, w = sample(truth, weighted=True)
    found = Beta.fit(z, y, w)
    p = 1 / (1 + np.exp(-z))
    expected = sklearn.linear_model.LogisticRegression(
        C=np.inf, tol=1e-10, max_iter=1000
    ).fit(np.stack([np.log(p), -np.log1p(-p)], axis=1), y, w)
    slopes = [found.a, found.b]
    np.testing.assert_allclose(slopes, expected.coef_[0], atol=1e-4)
    # 0.5 log .5 + 1.5 log 2 - 0.3, at z = 0.
    at = Beta(0.5, 1.5, -0.3)(tf.constant([0.0, 2.0, -3.0]))
    np.testing.assert_allclose(at, truth(np.array([0.0, 2, -3])), rtol=1e-5)


def test_isotonic_by_hand():
    """Knots (0, -1), (1, 1), (3, 2): slopes 1 for 2, 2, 1/2 and 1/2."""
    curve = Isotonic([0.0, 1.0, 3.0], [-1.0, 1.0, 2.0])
    z = [[-2.0, 0.0, 0.5], [1.0, 2.0, 5.0]]
    expected = [[-3.0, -1.0, 0.0], [1.0, 1.5, 3.0]]
    for dtype in (tf.float32, tf.float64):
        np.testing.assert_allclose(apply(curve, z, dtype), expected)
    one = Isotonic([1.0], [3.0])
    np.testing.assert_allclose(apply(one, [0.0, 1.0, 2.0]), [2.999, 3, 3.001])


def test_isotonic_blocks_are_those_of_scikit_learn():
    """Bins of 25 rows or more of the rarer class, pooled where rates fall."""
    z, y, w = sample(lambda z: np.where(z > 0, 2.0, -2.0) + 0.05 * z, n=4000)
    found = Isotonic.fit(z, y, w)
    order = np.argsort(z)
    bins = min(100, int(y.sum()) // 25)
    place = np.minimum(((np.arange(4000) + 0.5) / 4000 * bins).astype(int), 99)
    sizes = np.bincount(place)
    rates = np.bincount(place, y[order]) / sizes
    pooled = sklearn.isotonic.isotonic_regression(rates, sample_weight=sizes)
    assert len(found.values) == len(np.unique(np.round(pooled, 12)))
    rate = 1 / (1 + np.exp(-np.array(found.values)))
    expected = np.unique(np.round(pooled, 12))
    # Half a row of the mean rate is added to each block.
    np.testing.assert_allclose(rate, expected, atol=0.02)


@pytest.mark.parametrize("name", METHODS)
def test_right_logits_stay_and_the_order_is_kept(name):
    z, y, w = sample()
    found = METHODS[name].fit(z, y, w)
    apart = np.linspace(-9, 9, 2001)
    bent = apply(found, apart)
    assert (np.diff(bent) > 0).all()
    inside = np.abs(apart + 1) < 3
    gap = 1 / (1 + np.exp(-bent[inside])) - 1 / (1 + np.exp(-apart[inside]))
    assert np.abs(gap).max() < 0.05
    again = type(found)(**json.loads(json.dumps(found.numbers())))
    np.testing.assert_array_equal(apply(again, apart), bent)
    half = apply(found, apart, tf.float32)
    np.testing.assert_allclose(half, bent, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_weights_are_rows(name):
    z, y, w = sample(lambda z: 2 * z + 1, n=3000, weighted=True)
    z = np.repeat(z[:300], 10)  # ties, which no bin cuts
    times = w.astype(int)
    one = METHODS[name].fit(z, y, w)
    many = METHODS[name].fit(
        np.repeat(z, times), np.repeat(y, times), np.ones(times.sum())
    )
    if name == "isotonic":  # the number of bins counts rows
        return
    np.testing.assert_allclose(apply(one, z), apply(many, z), rtol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_a_worthless_or_reversed_score_keeps_its_order(name):
    z, y, w = sample(lambda z: -z, n=3000)
    bent = apply(METHODS[name].fit(z, y, w), np.sort(z))
    assert np.isfinite(bent).all()
    assert (np.diff(bent) >= 0).all()
    rate = (1 / (1 + np.exp(-bent))).mean()
    if name != "temperature":
        assert rate == pytest.approx(y.mean(), abs=0.02)
