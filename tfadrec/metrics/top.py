"""What stands at the top of a ranking: exact metrics in NumPy.

The rules are those of `metrics.ranking`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from tfadrec.metrics import checks
from tfadrec.metrics.rows import Rows
from tfadrec.metrics.sorted_rows import Floats, SortedRows


def pr_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
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
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in [0, 1]; nan where there is no click.
    """
    hits = shown = 0
    sums = []
    for some in Rows(labels, scores, weights, where=where).in_order():
        own = np.cumsum(some.tie_clicks) + hits
        all_own = np.cumsum(some.tie_clicks + some.tie_others) + shown
        precision = np.zeros(len(own))
        np.divide(own, all_own, out=precision, where=all_own > 0)
        sums.append(float((some.tie_clicks * precision).sum()))
        hits, shown = own[-1], all_own[-1]
    return math.fsum(sums) / float(hits) if hits else float("nan")


def hit_rate(
    labels: ArrayLike,
    scores: ArrayLike,
    requests: ArrayLike,
    k: int,
    where: ArrayLike | None = None,
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
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in [0, 1]; nan where no request has both classes.
    """
    checks.ranks(k)

    def of(rows: SortedRows) -> Floats:
        sizes, clicks, taken = rows.tie_sizes, rows.tie_clicks, _taken(rows, k)
        # Nothing is hit where r of the others are taken: log of the chance.
        can_miss = taken <= sizes - clicks
        left = np.where(can_miss, sizes - clicks, taken)
        missed = _log_choose(left, taken) - _log_choose(sizes, taken)
        missed = np.where(can_miss, missed, -np.inf)
        return 1 - np.exp(np.add.reduceat(missed, rows.first_tie))

    rows = Rows(labels, scores, groups=requests, where=where)
    return rows.mean_of_groups(of)


def recall(
    labels: ArrayLike,
    scores: ArrayLike,
    requests: ArrayLike,
    k: int,
    where: ArrayLike | None = None,
) -> float:
    """The share of a request's clicks among its first k rows, on average.

    Over the requests that have a click and a non-click, as `ndcg`. Equal scores
    earn the mean over all orders.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      requests: [n], integers or strings, the request of each row.
      k: ranks that count, >= 1.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in [0, 1]; nan where no request has both classes.
    """
    checks.ranks(k)

    def of(rows: SortedRows) -> Floats:
        found = rows.tie_clicks * _taken(rows, k) / rows.tie_sizes
        clicks = np.maximum(rows.clicks, 1)
        return np.add.reduceat(found, rows.first_tie) / clicks

    rows = Rows(labels, scores, groups=requests, where=where)
    return rows.mean_of_groups(of)


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
    checks.ranks(k)
    values = np.asarray(scores)
    shares = np.empty(len(values))
    nothing = np.broadcast_to(np.int8(0), values.shape)
    rows = Rows(nothing, values, groups=requests)
    for chunks in rows.ranges(whole=True):
        if found := list(chunks):
            part = np.concatenate(found)
            some = rows.sorted(part)
            of_ties = _taken(some, k) / some.tie_sizes
            shares[part[some.order]] = of_ties[some.tie_of_row]
    return shares


def _taken(rows: SortedRows, k: int) -> Floats:
    """How many rows of each tie are among the first k of their group."""
    return np.clip(k - rows.above, 0, rows.tie_sizes).astype(np.float64)


def _log_choose(n, k) -> Floats:
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
