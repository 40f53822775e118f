"""How good probabilities are: exact metrics in NumPy.

The rules are those of `metrics.ranking`: labels are 0 or 1, logits are finite,
a row with the weight w counts as w equal rows do, and every function raises
InputError where an argument breaks these rules.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tfadrec.core.errors import InputError
from tfadrec.metrics import checks, ranking
from tfadrec.metrics.sorted_rows import Floats

#: Bins of equal weight in `calibration_error`.
BINS = 20
#: What `field_error` adds to every label, as its paper does.
_FIELD_EPSILON = 0.01


@dataclasses.dataclass(frozen=True)
class _Rows:
    labels: Floats
    probs: Floats
    weights: Floats


def brier_score(
    labels: ArrayLike, logits: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Mean of (p - y)^2, p the predicted probability.

    Brier, "Verification of forecasts expressed in terms of probability", 1950,
    for two classes, of which one is counted.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value in [0, 1].
    """
    rows = _rows(labels, logits, weights)
    return float(
        np.average(np.square(rows.probs - rows.labels), weights=rows.weights)
    )


def relative_information_gain(
    labels: ArrayLike, logits: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """The share of the labels' entropy that the predictions explain.

    RIG = 1 - log_loss / entropy = 1 - `normalized_entropy`: 0 is a constant at
    the observed rate, 1 is perfect, below 0 is worse than the constant. Graepel
    et al., "Web-Scale Bayesian Click-Through Rate Prediction for Sponsored
    Search Advertising in Microsoft's Bing Search Engine", 2010.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value <= 1; nan where only one class is present.
    """
    return 1.0 - ranking.normalized_entropy(labels, logits, weights)


def calibration_error(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    bins: int = BINS,
) -> float:
    """Expected calibration error over bins of equal weight.

    ECE = sum_b W_b |mean p_b - mean y_b| / W. Rows are put in order of their
    prediction and cut into bins of equal weight; rows with equal predictions
    share their mean label, so their order plays no part. Bins of equal mass are
    those of Nguyen and O'Connor, "Posterior calibration and exploratory
    analysis for natural language processing models", 2015. Right probabilities
    do not have 0: with n rows it is some sqrt(bins p (1 - p) / n).

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      bins: >= 1; fewer where there are fewer rows.

    Returns:
      A value in [0, 1].
    """
    predicted, observed, share = reliability(labels, logits, weights, bins=bins)
    return float(share @ np.abs(predicted - observed))


def reliability(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    bins: int,
) -> tuple[Floats, Floats, Floats]:
    """What was predicted and what came of it, by bins of equal weight.

    The bins are those of `calibration_error`.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      bins: >= 1; fewer where there are fewer rows.

    Returns:
      The mean prediction, the rate and the share of the weight of each bin that
      has some, [b] each, from the lowest predictions to the highest.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise InputError(
            f"`bins` must be an integer >= 1. Received: {bins!r}. Take "
            f"{BINS}, or fewer where there are few rows."
        )
    rows = _rows(labels, logits, weights)
    _, tie = np.unique(rows.probs, return_inverse=True)
    clicks = np.bincount(tie, rows.weights * rows.labels)
    sizes = np.bincount(tie, rows.weights)
    rates = np.zeros(len(sizes))
    np.divide(clicks, sizes, out=rates, where=sizes > 0)
    order = np.argsort(rows.probs, kind="stable")
    each = rows.weights[order]
    middle = (np.cumsum(each) - each / 2) / each.sum()
    place = np.minimum((middle * bins).astype(np.int64), bins - 1)
    mass = np.bincount(place, each, bins)
    predicted = np.bincount(place, each * rows.probs[order], bins)
    observed = np.bincount(place, each * rates[tie][order], bins)
    some = mass > 0
    return (
        predicted[some] / mass[some],
        observed[some] / mass[some],
        mass[some] / each.sum(),
    )


def predicted_over_observed(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """`calibration_ratio` with an interval.

    With r = sum p / sum y and e_u = sum over the rows of user u of p - r y, the
    standard error of r is sqrt(sum_u e_u^2) / sum y (the delta method for a
    ratio of sums over independent users), and the interval that of log r:
    r exp(+- z error / r).

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      groups: [n], integers or strings, the user of each row; None where every
        row is independent of the others.
      confidence: of the interval, in (0, 1).

    Returns:
      The ratio, and the ends of its interval; nan where there is no click, and
      for the ends also where nothing is predicted, or all rows are of one user.
    """
    if not 0 < confidence < 1:
        raise InputError(
            "`confidence` must lie in (0, 1). Received: "
            f"confidence={confidence}."
        )
    rows = _rows(labels, logits, weights)
    observed = float((rows.weights * rows.labels).sum())
    if not observed:
        return float("nan"), float("nan"), float("nan")
    ratio = float((rows.weights * rows.probs).sum()) / observed
    if not ratio:
        return 0.0, float("nan"), float("nan")
    place = np.arange(len(rows.labels))
    if groups is not None:
        keys = checks.groups_of(groups, rows.labels == 1)
        place = np.unique(keys, return_inverse=True)[1]
    if not place.any():  # one error, which is 0 by the choice of r
        return ratio, float("nan"), float("nan")
    of_rows = rows.weights * (rows.probs - ratio * rows.labels)
    errors = np.bincount(place, of_rows)
    spread = float(np.sqrt(np.square(errors).sum())) / observed / ratio
    factor = np.exp(stats.norm.ppf((1 + confidence) / 2) * spread)
    return ratio, ratio / float(factor), ratio * float(factor)


def field_error(
    labels: ArrayLike,
    logits: ArrayLike,
    fields: ArrayLike,
    weights: ArrayLike | None = None,
) -> float:
    """Relative calibration error by the values of a field (field-RCE).

    Field-RCE = (1 / n) sum_z n_z |sum over z of (y - p)| / sum over z of
    (y + 0.01), over the values z of the field, such as campaigns. Pan et al.,
    "Field-aware Calibration: A Simple and Empirically Strong Method for
    Reliable Probabilistic Predictions", WWW 2020.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      fields: [n], integers or strings, the value of each row.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value >= 0.
    """
    rows = _rows(labels, logits, weights)
    keys = checks.groups_of(fields, rows.labels == 1)
    _, place = np.unique(keys, return_inverse=True)

    def total(values: NDArray) -> NDArray:
        return np.bincount(place, rows.weights * values)

    gaps = np.abs(total(rows.labels - rows.probs))
    sizes = total(np.ones(len(place)))
    known = sizes > 0
    relative = gaps[known] / total(rows.labels + _FIELD_EPSILON)[known]
    return float(np.average(relative, weights=sizes[known]))


def _rows(labels, logits, weights) -> _Rows:
    clicks, scores = checks.clicks_and_scores(labels, logits)
    counts = checks.counts(weights, len(clicks))
    return _Rows(
        clicks.astype(np.float64),
        ranking.sigmoid(scores),
        np.ones(len(clicks)) if counts is None else counts,
    )
