"""Against scikit-learn, loops, and a world whose truth is known."""

import numpy as np
import pytest
import sklearn.metrics

from tfadrec.core.errors import InputError
from tfadrec.metrics import probabilities, ranking


def sample(seed=0, n=500, weighted=False):
    rng = np.random.default_rng(seed)
    logits = np.round(rng.normal(-1, 1, n), 1)
    labels = rng.random(n) < 1 / (1 + np.exp(-logits))
    weights = rng.integers(0, 4, n).astype(float) if weighted else None
    return labels.astype(float), logits, weights


def repeated(labels, logits, weights):
    times = weights.astype(int)
    return np.repeat(labels, times), np.repeat(logits, times)


@pytest.mark.parametrize("weighted", [False, True])
def test_brier_score_is_sklearns(weighted):
    labels, logits, weights = sample(weighted=weighted)
    expected = sklearn.metrics.brier_score_loss(
        labels, 1 / (1 + np.exp(-logits)), sample_weight=weights
    )
    found = probabilities.brier_score(labels, logits, weights)
    assert found == pytest.approx(expected, rel=1e-12)


def test_information_gain():
    labels, logits, _ = sample()
    rate = labels.mean()
    constant = np.full(len(labels), rate)
    loss = sklearn.metrics.log_loss
    expected = 1 - loss(labels, 1 / (1 + np.exp(-logits))) / loss(
        labels, constant
    )
    found = probabilities.relative_information_gain(labels, logits)
    assert found == pytest.approx(expected, rel=1e-9)
    same = np.log(constant / (1 - constant))
    of_constant = probabilities.relative_information_gain(labels, same)
    assert of_constant == pytest.approx(0, abs=1e-12)


def test_calibration_error_by_hand():
    """Two bins of two rows: |.2 + .2 - 1| / 2 and |.6 + .8 - 1| / 2."""
    probs = np.array([0.8, 0.2, 0.6, 0.2])
    labels = [1, 1, 0, 0]
    logits = np.log(probs / (1 - probs))
    found = probabilities.calibration_error(labels, logits, bins=2)
    assert found == pytest.approx((0.6 + 0.4) / 4)
    # One bin: (1.8 - 2) / 4. As many bins as rows: the two ties have the mean
    # label .5 each, so .3 twice, then .6 and .2.
    one = probabilities.calibration_error(labels, logits, bins=1)
    assert one == pytest.approx(0.2 / 4)
    four = probabilities.calibration_error(labels, logits, bins=4)
    assert four == pytest.approx((0.3 + 0.3 + 0.6 + 0.2) / 4)


def test_calibration_error_of_the_truth_and_of_a_shift():
    rng = np.random.default_rng(0)
    logits = rng.normal(-2, 1, 200_000)
    labels = rng.random(200_000) < 1 / (1 + np.exp(-logits))
    # Some sqrt(20 x .13 / 200,000) = .0036 at most.
    right = probabilities.calibration_error(labels, logits)
    assert right < 0.004
    wrong = probabilities.calibration_error(labels, logits + 1)
    gap = ranking.sigmoid(logits + 1) - ranking.sigmoid(logits)
    assert wrong == pytest.approx(gap.mean(), abs=0.003)


@pytest.mark.parametrize(
    "metric",
    [
        probabilities.brier_score,
        probabilities.relative_information_gain,
        probabilities.calibration_error,
    ],
)
def test_weights_are_rows(metric):
    labels, logits, weights = sample(weighted=True)
    if metric is probabilities.calibration_error:
        # Ties aside, an edge of a bin may cut a row that stands for several.
        logits = np.repeat(np.arange(20.0), 25) / 10 - 2
        weights = np.tile(weights[:25], 20)
    expected = metric(*repeated(labels, logits, weights))
    assert metric(labels, logits, weights) == pytest.approx(expected)


def test_the_interval_of_the_ratio_holds():
    """500 worlds with users of their own levels: 95 % within 2.5 deviations."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(100), 10)
    held = []
    for _ in range(500):
        level = rng.normal(0, 1, 100)[users]
        logits = rng.normal(-1, 1, 1000)
        truth = 1 / (1 + np.exp(-logits - level))
        labels = rng.random(1000) < truth
        # The true ratio of this predictor, known by the law of the levels.
        _, low, high = probabilities.predicted_over_observed(
            labels, logits, groups=users
        )
        held.append((low, high))
    nodes, mass = np.polynomial.hermite_e.hermegauss(40)
    z, u = np.meshgrid(nodes, nodes)
    both = np.outer(mass, mass) / mass.sum() ** 2
    expected = [
        float((both * (1 / (1 + np.exp(1 - z - level)))).sum())
        for level in (0, u)
    ]
    ratio = expected[0] / expected[1]
    share = np.mean([low <= ratio <= high for low, high in held])
    assert 0.925 <= share <= 0.975


def test_the_ratio_is_that_of_the_ranking_metrics():
    labels, logits, weights = sample(weighted=True)
    ratio, low, high = probabilities.predicted_over_observed(
        labels, logits, weights
    )
    expected = ranking.calibration_ratio(labels, logits, weights)
    assert ratio == pytest.approx(expected)
    assert low < ratio < high
    nothing = probabilities.predicted_over_observed([0, 0], [0.0, 1.0])
    assert np.isnan(nothing).all()
    of_one = [[1, 0], [2.0, 1.0]]
    ratio, *ends = probabilities.predicted_over_observed(*of_one, groups=[7, 7])
    assert ratio == probabilities.predicted_over_observed(*of_one)[0] > 1
    assert np.isnan(ends).all()
    none = probabilities.predicted_over_observed([1, 0], [-1e30, -1e30])
    assert none[0] == 0
    assert np.isnan(none[1:]).all()


def test_field_error_by_hand():
    """A: |1 - .9| / 1.02 for 2 rows; B: |0 - .4| / .01 for 1 row."""
    probs = np.array([0.5, 0.4, 0.4])
    logits = np.log(probs / (1 - probs))
    found = probabilities.field_error([1, 0, 0], logits, ["a", "a", "b"])
    assert found == pytest.approx((2 * 0.1 / 1.02 + 0.4 / 0.01) / 3)
    labels, logits, weights = sample(weighted=True)
    fields = np.arange(len(labels)) % 7
    expected = probabilities.field_error(
        *repeated(labels, logits, weights),
        np.repeat(fields, weights.astype(int)),
    )
    found = probabilities.field_error(labels, logits, fields, weights)
    assert found == pytest.approx(expected)


def test_wrong_arguments():
    with pytest.raises(InputError, match="`bins` must be an integer >= 1"):
        probabilities.calibration_error([0], [0.0], bins=0)
    with pytest.raises(InputError, match=r"must lie in \(0, 1\)"):
        probabilities.predicted_over_observed([0], [0.0], confidence=95)
    with pytest.raises(InputError, match="Labels must be 0 or 1"):
        probabilities.brier_score([2], [0.0])
