"""Two models' logits as one, against scikit-learn and by hand."""

import numpy as np
import pytest
import sklearn.linear_model
import tensorflow as tf

from tfadrec.calibration import Mixture
from tfadrec.calibration.platt import Platt


def sample(n=40_000):
    """Two models that each know one of two reasons for a click."""
    rng = np.random.default_rng(0)
    one, two = rng.normal(0, 1, n), rng.normal(0, 2, n)
    truth = 0.8 * one + 0.5 * two - 1
    labels = (rng.random(n) < 1 / (1 + np.exp(-truth))).astype(float)
    return one, two, labels, rng.integers(1, 4, n).astype(float)


def test_the_mixture_is_a_logistic_regression_of_both():
    one, two, labels, weights = sample()
    found = Mixture.fit(one, two, labels, weights)
    expected = sklearn.linear_model.LogisticRegression(
        C=np.inf, tol=1e-10, max_iter=1000
    ).fit(np.stack([one, two], 1), labels, weights)
    z = tf.constant(one[:9])
    mixed = found.mixed(found.alone(z), tf.constant(two[:9])).numpy()
    np.testing.assert_allclose(
        mixed, expected.decision_function(np.stack([one, two], 1)[:9]), 1e-4
    )


def test_what_one_model_scored_alone_is_on_the_same_scale():
    """Both say how often there is a click, which is what makes them one order.

    The logit of one model alone is drawn towards the mean, as it knows less.
    """
    one, two, labels, weights = sample()
    found = Mixture.fit(one, two, labels, weights)
    alone = found.alone(tf.constant(one)).numpy()
    mixed = found.mixed(alone, two)
    assert found.alone.slope < 0.7
    for logits in (alone, mixed):
        for some in (logits > 0, logits < -1.5):
            rate = np.average(labels[some], weights=weights[some])
            told = 1 / (1 + np.exp(-logits[some]))
            told = np.average(told, weights=weights[some])
            assert told == pytest.approx(rate, abs=0.015)


def test_by_hand():
    found = Mixture(Platt(2.0, 1.0), 0.5, 3.0, -1.0)
    z, x = tf.constant([1.0, 0.0]), tf.constant([0.0, 2.0])
    np.testing.assert_allclose(found.alone(z), [3.0, 1.0])
    np.testing.assert_allclose(found.mixed(found.alone(z), x), [0.5, 5.5])
