"""What stands at the top of a ranking: exact metrics in NumPy.

The rules are those of `metrics.ranking`.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from tfadrec.metrics import checks
from tfadrec.metrics.sorted_rows import Floats, SortedRows


def pr_auc(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """The area under the precision-recall curve, as average precision.

    AP = sum_t (R_t - R_{t-1}) P_t over the distinct scores t from the highest
    on, with P_t and R_t the precision and recall of all rows that score at
    least t. A random order has the click rate. Here rows with equal scores are
    cut as one, and do not stand for all of their orders.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value in [0, 1]; nan where there is no click.
    """
    clicks, values = checks.clicks_and_scores(labels, scores)
    rows = SortedRows(
        clicks,
        values,
        np.zeros(len(clicks), np.int64),
        checks.counts(weights, len(clicks)),
    )
    found = float(rows.clicks[0])
    if not found:
        return float("nan")
    hits = np.cumsum(rows.tie_clicks)
    shown = hits + np.cumsum(rows.tie_others)
    precision = np.zeros(len(hits))
    np.divide(hits, shown, out=precision, where=shown > 0)
    return float((rows.tie_clicks * precision).sum() / found)


def hit_rate(
    labels: ArrayLike, scores: ArrayLike, requests: ArrayLike, k: int
) -> float:
    """The share of requests with a click among their first k rows.

    Over the requests that have a click and a non-click, as `ndcg`. Equal scores
    earn the mean over all orders: where r of the n rows of a tie are among the
    first k, with m clicks in the tie and none above it, the chance of a hit is
    1 - C(n - m, r) / C(n, r).

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      requests: [n], integers or strings, the request of each row.
      k: ranks that count, >= 1.

    Returns:
      A value in [0, 1]; nan where no request has both classes.
    """
    rows, taken = _first(labels, scores, requests, k)
    if not rows.has_both.any():
        return float("nan")
    sizes, clicks = rows.tie_sizes, rows.tie_clicks
    # Nothing is hit where r of the others are taken: log of the chance.
    can_miss = taken <= sizes - clicks
    left = np.where(can_miss, sizes - clicks, taken)
    missed = _log_choose(left, taken) - _log_choose(sizes, taken)
    missed = np.where(can_miss, missed, -np.inf)
    first_tie = np.flatnonzero(np.diff(rows.group_of_tie, prepend=-1))
    chance = np.exp(np.add.reduceat(missed, first_tie))
    return float(np.mean(1 - chance[rows.has_both]))


def recall(
    labels: ArrayLike, scores: ArrayLike, requests: ArrayLike, k: int
) -> float:
    """The share of a request's clicks among its first k rows, on average.

    Over the requests that have a click and a non-click, as `ndcg`. Equal scores
    earn the mean over all orders.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      requests: [n], integers or strings, the request of each row.
      k: ranks that count, >= 1.

    Returns:
      A value in [0, 1]; nan where no request has both classes.
    """
    rows, taken = _first(labels, scores, requests, k)
    if not rows.has_both.any():
        return float("nan")
    found = np.bincount(
        rows.group_of_tie, rows.tie_clicks * taken / rows.tie_sizes
    )
    return float(np.mean(found[rows.has_both] / rows.clicks[rows.has_both]))


def chosen(scores: ArrayLike, requests: ArrayLike, k: int) -> Floats:
    """How far each row is among the first k of its request.

    Args:
      scores: [n], finite.
      requests: [n], integers or strings, the request of each row.
      k: rows that are chosen, >= 1; all of a request that has fewer.

    Returns:
      float64 [n] in [0, 1]: of rows with equal scores, the share of the orders
      in which it is chosen.
    """
    values = np.asarray(scores)
    rows, taken = _first(np.zeros(values.shape), values, requests, k)
    shares = np.empty(len(values))
    shares[rows.order] = (taken / rows.tie_sizes)[rows.tie_of_row]
    return shares


def _first(labels, scores, requests, k) -> tuple[SortedRows, Floats]:
    """Sorted rows, and how many of each tie are among the first k."""
    checks.ranks(k)
    clicks, values = checks.clicks_and_scores(labels, scores)
    rows = SortedRows(clicks, values, checks.groups_of(requests, clicks))
    above = rows.tie_first_row - rows.first_row[rows.group_of_tie]
    return rows, np.clip(k - above, 0, rows.tie_sizes).astype(np.float64)


def _log_choose(n, k) -> Floats:
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
