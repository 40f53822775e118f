"""Exact metrics of a click model over a whole data set, in NumPy.

Labels are 0 or 1, scores and logits are finite, all arguments are one value
per impression `[n]`, n >= 1. A metric that is not defined on its input (no
click to rank, say) is nan. Every function raises InputError where an argument
breaks these rules.

Rows with equal scores have no order. A metric here is its expected value over
all orders of such rows, so constant scores earn what a random order earns.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.core.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The chance that a click scores above a non-click, ties counting half.

    The area under the ROC curve, equal to the Mann-Whitney statistic
    U / (clicks * non-clicks).

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.

    Returns:
      A value in [0, 1]; nan where only one class is present.
    """
    clicks, scores = _checked(labels, scores)
    one_group = np.zeros(len(clicks), np.int64)
    return float(_auc_by_group(clicks, scores, one_group)[0][0])


def group_auc(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> float:
    """AUC within each user, averaged with impressions as weights.

    GAUC = sum_u n_u AUC_u / sum_u n_u, over the users u who have both a click
    and a non-click, n_u being u's impressions. Zhou et al., "Deep Interest
    Network for Click-Through Rate Prediction", 2018, section 6.3, after Zhu et
    al., "Optimized Cost per Click in Taobao Display Advertising", 2017.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      groups: [n], integers or strings, the user of each impression.

    Returns:
      A value in [0, 1]; nan where no user has both classes.
    """
    clicks, scores = _checked(labels, scores)
    values, sizes = _auc_by_group(clicks, scores, _grouped(groups, clicks))
    defined = ~np.isnan(values)
    if not defined.any():
        return float("nan")
    return float(np.average(values[defined], weights=sizes[defined]))


def log_loss(labels: ArrayLike, logits: ArrayLike) -> float:
    """Mean negative log likelihood in nats, from logits, in float64.

    mean(log(1 + exp(-z))) over clicks and log(1 + exp(z)) over the rest: no
    probability is formed, so large logits keep their digits.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.

    Returns:
      A value >= 0.
    """
    clicks, logits = _checked(labels, logits)
    return float(np.logaddexp(0.0, np.where(clicks, -logits, logits)).mean())


def normalized_entropy(labels: ArrayLike, logits: ArrayLike) -> float:
    """Log loss over that of always predicting the observed click rate.

    NE = log_loss / -(p log p + (1 - p) log(1 - p)), p the click rate of these
    very labels. Below 1 is better than a constant. He et al., "Practical
    Lessons from Predicting Clicks on Ads at Facebook", 2014, equation 3.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.

    Returns:
      A value >= 0; nan where only one class is present.
    """
    loss = log_loss(labels, logits)
    rate = np.mean(np.asarray(labels), dtype=np.float64)
    if rate in (0.0, 1.0):
        return float("nan")
    entropy = -(rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate))
    return float(loss / entropy)


def calibration_ratio(labels: ArrayLike, logits: ArrayLike) -> float:
    """Predicted clicks over observed clicks: 1 is calibrated, 2 bids double.

    sum_i sigmoid(z_i) / sum_i y_i. He et al. 2014, section 2.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.

    Returns:
      A value >= 0; nan where there is no click.
    """
    clicks, logits = _checked(labels, logits)
    if not clicks.any():
        return float("nan")
    return float(sigmoid(logits).sum() / clicks.sum())


def ndcg(
    labels: ArrayLike, scores: ArrayLike, requests: ArrayLike, k: int
) -> float:
    """Mean NDCG@k over the requests that have a click and a non-click.

    DCG@k = sum over ranks r <= k of y_r / log2(r + 1), divided by the DCG@k of
    the best order. Järvelin and Kekäläinen, "Cumulated gain-based evaluation
    of IR techniques", 2002. Equal scores: the expected value, which gives each
    row of a tie the tie's mean label (McSherry and Najork, 2008). A request of
    clicks only is perfect in any order and is left out.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      requests: [n], integers or strings, the request of each impression.
      k: ranks that count, >= 1.

    Returns:
      A value in [0, 1]; nan where no request has both classes.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(
            f"`k` must be an integer >= 1. Received: {k!r}. Pass the number "
            "of ranks that count."
        )
    clicks, scores = _checked(labels, scores)
    slates = _Sorted(clicks, scores, _grouped(requests, clicks))
    ranks = np.arange(len(clicks)) - slates.first_row[slates.group_of_row]
    discounts = np.where(ranks < k, 1.0 / np.log2(ranks + 2.0), 0.0)
    gains = (slates.tie_clicks / slates.tie_sizes)[slates.tie_of_row]
    dcg = np.add.reduceat(gains * discounts, slates.first_row)
    ideal = np.concatenate(
        [[0.0], np.cumsum(1.0 / np.log2(np.arange(k) + 2.0))]
    )[np.minimum(slates.clicks, k)]
    ranked = slates.has_both
    if not ranked.any():
        return float("nan")
    return float(np.mean(dcg[ranked] / ideal[ranked]))


def mrr(labels: ArrayLike, scores: ArrayLike, requests: ArrayLike) -> float:
    """Mean of 1 / rank of the first click, over the requests of `ndcg`.

    Voorhees, "The TREC-8 Question Answering Track Report", 1999. Equal scores:
    where m clicks stand among the n rows of a tie with s rows above it, the
    first click is the tie's row j = 0, 1, ... with probability
    C(n - j - 1, m - 1) / C(n, m), and its reciprocal rank is 1 / (s + j + 1).

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      requests: [n], integers or strings, the request of each impression.

    Returns:
      A value in (0, 1]; nan where no request has both classes.
    """
    clicks, scores = _checked(labels, scores)
    slates = _Sorted(clicks, scores, _grouped(requests, clicks))
    ranked = slates.has_both
    if not ranked.any():
        return float("nan")
    with_click = slates.tie_clicks > 0
    _, first = np.unique(slates.group_of_tie[with_click], return_index=True)
    decisive = np.zeros(len(with_click), bool)
    decisive[np.flatnonzero(with_click)[first]] = True

    n = slates.tie_sizes[slates.tie_of_row]
    m = slates.tie_clicks[slates.tie_of_row]
    j = np.arange(len(clicks)) - slates.tie_first_row[slates.tie_of_row]
    possible = decisive[slates.tie_of_row] & (j <= n - m)
    n, m, j = n[possible], m[possible], j[possible]
    chance = np.exp(_log_choose(n - j - 1, m - 1) - _log_choose(n, m))
    group = slates.group_of_row[possible]
    rank = np.flatnonzero(possible) - slates.first_row[group] + 1
    per_request = np.bincount(
        group, chance / rank, minlength=len(slates.clicks)
    )
    return float(per_request[ranked].mean())


def sigmoid(logits: Floats) -> Floats:
    """Probabilities of float64 logits [n], without overflow."""
    return np.exp(-np.logaddexp(0.0, -logits))


class _Sorted:
    """Rows sorted by group, then by falling score, with their ties.

    A tie is a run of rows with one group and one score; a row without equals
    is a tie of one.
    """

    def __init__(self, clicks: NDArray[np.bool_], scores: Floats, groups: Ints):
        order = np.lexsort((-scores, groups))
        groups, scores = groups[order], scores[order]
        new_group = _starts(groups)
        new_tie = new_group | _starts(scores)
        hits = clicks[order].astype(np.int64)
        self.first_row = np.flatnonzero(new_group)
        self.tie_first_row = np.flatnonzero(new_tie)
        self.group_of_row = np.cumsum(new_group) - 1
        self.tie_of_row = np.cumsum(new_tie) - 1
        self.group_of_tie = self.group_of_row[self.tie_first_row]
        self.sizes = np.diff(self.first_row, append=len(hits))
        self.tie_sizes = np.diff(self.tie_first_row, append=len(hits))
        self.clicks = np.add.reduceat(hits, self.first_row)
        self.tie_clicks = np.add.reduceat(hits, self.tie_first_row)
        self.has_both = (self.clicks > 0) & (self.clicks < self.sizes)


def _auc_by_group(
    clicks: NDArray[np.bool_], scores: Floats, groups: Ints
) -> tuple[Floats, Ints]:
    """The AUC of each group, nan where it has one class, and its size."""
    users = _Sorted(clicks, scores, groups)
    others = users.tie_sizes - users.tie_clicks
    tie_start = np.searchsorted(users.tie_first_row, users.first_row)
    all_below = np.cumsum(others[::-1])[::-1] - others
    group_end = tie_start + np.diff(tie_start, append=len(others)) - 1
    below = all_below - all_below[group_end][users.group_of_tie]
    half_wins = users.tie_clicks * (2 * below + others)
    wins = np.add.reduceat(half_wins, tie_start) / 2.0
    pairs = users.clicks * (users.sizes - users.clicks)
    values = np.full(len(pairs), np.nan)
    np.divide(wins, pairs, out=values, where=pairs > 0)
    return values, users.sizes


def _starts(values: NDArray) -> NDArray[np.bool_]:
    return np.concatenate([[True], values[1:] != values[:-1]])


def _log_choose(n: Ints, m: Ints) -> Floats:
    counts = np.arange(1, max(int(n.max(initial=0)), 1) + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts))])
    return log_factorial[n] - log_factorial[m] - log_factorial[n - m]


def _checked(
    labels: ArrayLike, scores: ArrayLike
) -> tuple[NDArray[np.bool_], Floats]:
    marks, values = np.asarray(labels), np.asarray(scores)
    if marks.ndim != 1 or marks.shape != values.shape:
        raise InputError(
            "Labels and scores must be one value per impression. Received: "
            f"labels of shape {marks.shape}, scores of shape {values.shape}. "
            "Pass two one-dimensional arrays of equal length."
        )
    if not len(marks):
        raise InputError(
            "A metric needs at least one impression. Received: 0. Check the "
            "split or filter that left no rows."
        )
    wrong = ~((marks == 0) | (marks == 1))
    if wrong.any():
        raise InputError(
            "Labels must be 0 or 1. Received: "
            f"{marks[wrong][0].item()!r} in {wrong.sum()} of {len(marks)} "
            "rows. Remove or recode those rows."
        )
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Scores must be numbers. Received: dtype {values.dtype}. Pass "
            "the model's logits."
        ) from error
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise InputError(
            f"Scores must be finite. Received: {values[wrong][0]} in "
            f"{wrong.sum()} of {len(values)} rows. A model that diverged "
            "gives such scores: lower its learning rate."
        )
    return marks == 1, values


def _grouped(groups: ArrayLike, clicks: NDArray[np.bool_]) -> Ints:
    """Groups as integers that sort."""
    keys = np.asarray(groups)
    if keys.shape != clicks.shape:
        raise InputError(
            "Groups must be one value per impression. Received: groups of "
            f"shape {keys.shape}, labels of shape {clicks.shape}. Pass the "
            "user or request of every impression."
        )
    if keys.dtype.kind in "iu":
        return keys
    if keys.dtype.kind in "US":
        return np.unique(keys, return_inverse=True)[1]
    raise InputError(
        "Groups must be integers or strings. Received: dtype "
        f"{keys.dtype}. Pass catalogue rows or ids."
    )
