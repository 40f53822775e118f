"""How good probabilities are: exact metrics in NumPy.

The rules are those of `metrics.ranking`: labels are 0 or 1, logits are finite,
a row with the weight w counts as w equal rows do, and every function raises
InputError where an argument breaks these rules.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from tfadrec.core.errors import InputError
from tfadrec.metrics import ranking
from tfadrec.metrics.rows import Rows
from tfadrec.metrics.sorted_rows import Floats

#: Bins of equal weight in `calibration_error`.
BINS = 20
#: What `field_error` adds to every label, as its paper does.
_FIELD_EPSILON = 0.01


@dataclasses.dataclass
class _Cut:
    """A tie whose rows are in several bins.

    Args:
      score: of its rows.
      begin: the weight of all rows that come before those to be read.
      means: of a row of it: 1, its prediction, and its rate.
    """

    score: float
    begin: float
    means: Floats


def brier_score(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """Mean of (p - y)^2, p the predicted probability.

    Brier, "Verification of forecasts expressed in terms of probability", 1950,
    for two classes, of which one is counted.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in [0, 1].
    """
    rows = Rows(labels, logits, weights, where=where)
    return rows.mean(lambda y, z: np.square(ranking.sigmoid(z) - y))


def relative_information_gain(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
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
      where: bool [n], the rows that count; None = all.

    Returns:
      A value <= 1; nan where only one class is present.
    """
    return 1.0 - ranking.normalized_entropy(labels, logits, weights, where)


def calibration_error(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
    *,
    bins: int = BINS,
) -> float:
    """Expected calibration error over bins of equal weight.

    ECE = sum_b W_b |mean p_b - mean y_b| / W. Rows are put in order of their
    logit and cut into bins of equal weight; rows with equal logits share their
    mean label, so their order plays no part. Bins of equal mass are
    those of Nguyen and O'Connor, "Posterior calibration and exploratory
    analysis for natural language processing models", 2015. Right probabilities
    do not have 0: with n rows it is some sqrt(bins p (1 - p) / n).

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.
      bins: >= 1; fewer where there are fewer rows.

    Returns:
      A value in [0, 1].
    """
    predicted, observed, share = reliability(
        labels, logits, weights, where, bins=bins
    )
    return float(share @ np.abs(predicted - observed))


def reliability(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
    *,
    bins: int,
) -> tuple[Floats, Floats, Floats]:
    """What was predicted and what came of it, by bins of equal weight.

    The bins are those of `calibration_error`.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.
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
    rows = Rows(labels, logits, weights, where=where)
    total = rows.total()

    def bin_of(positions: Floats) -> NDArray:
        return np.clip((positions / total * bins).astype(int), 0, bins - 1)

    sums, cut, above = np.zeros([3, bins]), [], 0.0
    for ties in rows.in_order():
        mass = (ties.tie_clicks + ties.tie_others).astype(np.float64)
        end = total - above - (np.cumsum(mass) - mass)
        above += float(mass.sum())
        middle, is_row = end - mass / 2, ties.tie_sizes == 1
        first = bin_of(np.where(is_row, middle, end - mass))
        last = bin_of(np.where(is_row, middle, end))
        is_in_one = first == last
        probs = ranking.sigmoid(ties.tie_scores.astype(np.float64))
        for column, values in zip(
            sums, (mass, mass * probs, ties.tie_clicks), strict=True
        ):
            column += np.bincount(first, values * is_in_one, bins)
        cut += [
            _Cut(
                float(ties.tie_scores[n]),
                float(end[n] - mass[n]),
                np.array([1.0, probs[n], ties.tie_clicks[n] / mass[n]]),
            )
            for n in np.flatnonzero(~is_in_one)
        ]
    for part in rows.parts() if cut else ():
        _, scores = rows.read(part)
        each = rows.weigh(np.ones(len(scores)), part)
        for tie in cut:
            own = each[scores == tie.score]
            place = bin_of(tie.begin + np.cumsum(own) - own / 2)
            sums += np.outer(tie.means, np.bincount(place, own, bins))
            tie.begin += float(own.sum())
    mass, predicted, observed = sums[:, sums[0] > 0]
    return predicted / mass, observed / mass, mass / total


def predicted_over_observed(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
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
      where: bool [n], the rows that count; None = all.
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
    rows = Rows(labels, logits, weights, groups, where)
    observed = rows.sum(lambda y, _: y)
    if not observed:
        return float("nan"), float("nan"), float("nan")
    ratio = rows.sum(lambda _, z: ranking.sigmoid(z)) / observed
    if not ratio:
        return 0.0, float("nan"), float("nan")
    squares, units = [], 0
    for (errors,) in rows.sums_by_group(
        lambda y, z: ranking.sigmoid(z) - ratio * y
    ):
        squares.append(float(np.square(errors).sum()))
        units += len(errors)
    if units == 1:  # one error, which is 0 by the choice of r
        return ratio, float("nan"), float("nan")
    spread = math.sqrt(math.fsum(squares)) / observed / ratio
    factor = np.exp(stats.norm.ppf((1 + confidence) / 2) * spread)
    return ratio, ratio / float(factor), ratio * float(factor)


def field_error(
    labels: ArrayLike,
    logits: ArrayLike,
    fields: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
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
      where: bool [n], the rows that count; None = all.

    Returns:
      A value >= 0.
    """
    rows = Rows(labels, logits, weights, fields, where)
    sums, total = [], 0.0
    for gaps, sizes, clicks in rows.sums_by_group(
        lambda y, z: y - ranking.sigmoid(z),
        lambda y, _: np.ones(len(y)),
        lambda y, _: y + _FIELD_EPSILON,
    ):
        known = sizes > 0
        relative = np.abs(gaps[known]) / clicks[known]
        sums.append(float(relative @ sizes[known]))
        total += float(sizes.sum())
    return math.fsum(sums) / total
