"""Metrics as functions of how often each unit of the rows is drawn.

A unit is what the rows are resampled by: a user, or a request. Drawing unit u
w_u times counts each of its rows w_u times. A statistic takes such weights of
many samples at once, float64 [U, b], and gives a value of each [b].
What does not depend on the weights, such as the order of the scores, is worked
out once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tfadrec.evaluation.comparison.compared_rows import ComparedRows, Floats
from tfadrec.metrics import ranking

#: Weights of samples [U, b] to values [b].
Statistic = Callable[[NDArray], Floats]


def auc(rows: ComparedRows, scores: NDArray) -> Statistic:
    """`ranking.auc` by sorted rows.

    With the clicks' distinct scores in order, a row without a click stands
    below the k-th of them or beside it. How many rows stand at each place is,
    for all samples at once, the product of a sparse matrix [places, U] with the
    weights; sums from the lowest place on tell what every click beats.
    """
    clicks = rows.labels == 1
    places, of_click = np.unique(scores[clicks], return_inverse=True)
    left = np.searchsorted(places, scores[~clicks], "left")
    right = np.searchsorted(places, scores[~clicks], "right")
    # Place k is 2 k + 1; what lies below it, and above the one before, 2 k.
    others = _counts(rows, ~clicks, left + right, 2 * len(places) + 1)
    hits = _counts(rows, clicks, of_click, len(places))

    def of(weights: NDArray) -> Floats:
        at = others @ weights
        below, beside = at[0:-1:2], at[1::2]
        beaten = np.cumsum(below, axis=0) + np.cumsum(beside, axis=0)
        beaten -= beside / 2
        drawn = hits @ weights
        won = np.einsum("kb,kb->b", beaten, drawn)
        return ratio(won, drawn.sum(axis=0) * at.sum(axis=0))

    return of


def gauc(rows: ComparedRows, scores: NDArray) -> Statistic:
    """`ranking.group_auc`, exact where the units are users.

    A user whose rows are in several units keeps its AUC whatever is drawn.
    """
    values, _ = ranking.auc_by_group(
        rows.labels, scores, rows.users, rows.weights
    )
    _, group = np.unique(rows.users, return_inverse=True)
    of_row = values[group]
    is_defined = ~np.isnan(of_row)
    return _mean_of(rows, np.where(is_defined, of_row, 0), is_defined)


def log_loss(rows: ComparedRows, logits: NDArray) -> Statistic:
    """`ranking.log_loss`."""
    return _mean_of(rows, row_losses(rows.labels == 1, logits))


def row_losses(clicks: NDArray, logits: NDArray) -> Floats:
    """The negative log likelihood of each row, nats.

    Args:
      clicks: bool [n].
      logits: [n].
    """
    z = np.asarray(logits, np.float64)
    return np.logaddexp(0, np.where(clicks, -z, z))


def mae(rows: ComparedRows, predictions: NDArray) -> Statistic:
    """`ranking.mae`."""
    error = np.asarray(predictions, np.float64) - rows.labels
    return _mean_of(rows, np.abs(error))


def rmse(rows: ComparedRows, predictions: NDArray) -> Statistic:
    """`ranking.rmse`."""
    error = np.asarray(predictions, np.float64) - rows.labels
    mean = _mean_of(rows, np.square(error))
    return lambda weights: np.sqrt(mean(weights))


#: Metric -> what makes its statistic of rows and scores.
STATISTICS: dict[str, Callable[[ComparedRows, NDArray], Statistic]] = {
    "auc": auc,
    "gauc": gauc,
    "log_loss": log_loss,
    "rmse": rmse,
    "mae": mae,
}


def _counts(
    rows: ComparedRows, chosen: NDArray, places: NDArray, num_places: int
) -> sparse.csr_array:
    """How many of the chosen rows of each unit stand where, [places, U]."""
    return sparse.csr_array(
        (rows.counts[chosen], (places, rows.units[chosen])),
        shape=(num_places, rows.num_units),
    )


def _mean_of(
    rows: ComparedRows, values: NDArray, counted: NDArray | float = 1.0
) -> Statistic:
    """The mean of values of rows [n], over the rows that are counted."""
    each = rows.counts * counted

    def of_units(of_rows):
        return np.bincount(rows.units, of_rows, rows.num_units)

    sums = np.stack([of_units(each * values), of_units(each)])

    def of(weights: NDArray) -> Floats:
        total, size = sums @ weights
        return ratio(total, size)

    return of


def ratio(above: Floats, below: Floats) -> Floats:
    """A quotient by sample, nan where nothing is drawn.

    Args:
      above: [b].
      below: [b].
    """
    found = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found
