"""Exact metrics over a whole data set, in NumPy.

Labels are 0 or 1, and real numbers for `rmse`, `mae` and `mean_ratio`. Scores
and logits are finite, all arguments are one value per impression `[n]`,
n >= 1. A metric that is not defined on its input (no click to rank, say) is
nan. Every function raises InputError where an argument breaks these rules.

A row may stand for many: with the weight w, >= 0, it counts as w equal rows
do. So a log that has impressions and clicks of an ad in one row becomes two,
with the label 1 and the clicks as weight, and with 0 and the rest. `ndcg` and
`mrr` have no weights, as such rows have no order within a request.

Rows with equal scores have no order. A metric here is its expected value over
all orders of such rows, so constant scores earn what a random order earns.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.metrics import checks
from tfadrec.metrics.sorted_rows import Floats, Ints, SortedRows

#: Rows that are sorted at a time where their groups are measured apart.
_AT_ONCE = 1 << 22


def auc(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """The chance that a click scores above a non-click, ties counting half.

    The area under the ROC curve, equal to the Mann-Whitney statistic
    U / (clicks * non-clicks).

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value in [0, 1]; nan where only one class is present.
    """
    return float(auc_by_group(labels, scores, None, weights)[0][0])


def group_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
) -> float:
    """AUC within each user, averaged with impressions as weights.

    GAUC = sum_u n_u AUC_u / sum_u n_u, over the users u who have both a click
    and a non-click, n_u being u's impressions. Zhou et al., "Deep Interest
    Network for Click-Through Rate Prediction", 2018, section 6.3, after Zhu et
    al., "Optimized Cost per Click in Taobao Display Advertising", 2017.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      groups: [n], integers or strings, the user of each impression.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value in [0, 1]; nan where no user has both classes.
    """
    values, sizes = auc_by_group(labels, scores, groups, weights)
    defined = ~np.isnan(values)
    if not defined.any():
        return float("nan")
    return float(np.average(values[defined], weights=sizes[defined]))


def uauc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
) -> float:
    """AUC within each user who has both classes, every such user alike.

    `group_auc` without its weights: heavy users do not outvote the others.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      groups: [n], integers or strings, the user of each impression.
      weights: [n], how many rows each stands for within its user; None = one.

    Returns:
      A value in [0, 1]; nan where no user has both classes.
    """
    values, _ = auc_by_group(labels, scores, groups, weights)
    defined = ~np.isnan(values)
    if not defined.any():
        return float("nan")
    return float(values[defined].mean())


def log_loss(
    labels: ArrayLike, logits: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Mean negative log likelihood in nats, from logits, in float64.

    mean(log(1 + exp(-z))) over clicks and log(1 + exp(z)) over the rest: no
    probability is formed, so large logits keep their digits.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value >= 0.
    """
    clicks, logits = checks.clicks_and_scores(labels, logits)
    losses = np.logaddexp(0.0, np.where(clicks, -logits, logits))
    return _mean(losses, checks.counts(weights, len(clicks)))


def normalized_entropy(
    labels: ArrayLike, logits: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Log loss over that of always predicting the observed click rate.

    NE = log_loss / -(p log p + (1 - p) log(1 - p)), p the click rate of these
    very labels. Below 1 is better than a constant. He et al., "Practical
    Lessons from Predicting Clicks on Ads at Facebook", 2014, equation 3.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value >= 0; nan where only one class is present.
    """
    loss = log_loss(labels, logits, weights)
    clicks = np.asarray(labels, np.float64)
    rate = _mean(clicks, checks.counts(weights, len(clicks)))
    if rate in (0.0, 1.0):
        return float("nan")
    entropy = -(rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate))
    return float(loss / entropy)


def calibration_ratio(
    labels: ArrayLike, logits: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Predicted clicks over observed clicks: 1 is calibrated, 2 bids double.

    sum_i sigmoid(z_i) / sum_i y_i. He et al. 2014, section 2.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value >= 0; nan where there is no click.
    """
    clicks, logits = checks.clicks_and_scores(labels, logits)
    counts = checks.counts(weights, len(clicks))
    observed = _sum(clicks, counts)
    if not observed:
        return float("nan")
    return _sum(sigmoid(logits), counts) / observed


def rmse(
    labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """The root of the mean squared error, in the unit of the label.

    Args:
      labels: [n], real numbers.
      predictions: [n], the predicted labels.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value >= 0.
    """
    amounts, values = checks.amounts_and_predictions(labels, predictions)
    counts = checks.counts(weights, len(amounts))
    return float(np.sqrt(_mean(np.square(values - amounts), counts)))


def mae(
    labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """The mean absolute error, in the unit of the label.

    Args:
      labels: [n], real numbers.
      predictions: [n], the predicted labels.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value >= 0.
    """
    amounts, values = checks.amounts_and_predictions(labels, predictions)
    return _mean(np.abs(values - amounts), checks.counts(weights, len(amounts)))


def mean_ratio(
    labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """The sum of the predictions over that of the labels: 1 is calibrated.

    `calibration_ratio` for labels that are amounts.

    Args:
      labels: [n], real numbers.
      predictions: [n], the predicted labels.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      A value; nan where the labels add up to 0.
    """
    amounts, values = checks.amounts_and_predictions(labels, predictions)
    counts = checks.counts(weights, len(amounts))
    observed = _sum(amounts, counts)
    if not observed:
        return float("nan")
    return _sum(values, counts) / observed


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
    checks.ranks(k)
    clicks, scores = checks.clicks_and_scores(labels, scores)
    slates = SortedRows(clicks, scores, checks.groups_of(requests, clicks))
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
    clicks, scores = checks.clicks_and_scores(labels, scores)
    slates = SortedRows(clicks, scores, checks.groups_of(requests, clicks))
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


def auc_by_group(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None,
    weights: ArrayLike | None,
) -> tuple[Floats, NDArray]:
    """The AUC of each group, in the order of `np.unique(groups)`.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      groups: [n], integers or strings; None = one group.
      weights: [n], how many rows each stands for; None = one.

    Returns:
      The AUC of each group, nan where it has one class, and its weight.
    """
    clicks, scores = checks.clicks_and_scores(labels, scores)
    if groups is None:
        groups = np.zeros(len(clicks), np.int8)
    groups = checks.groups_of(groups, clicks)
    weights = checks.counts(weights, len(clicks))
    found = []
    for part in _ranges_of(groups):
        each = None if weights is None else weights[part]
        found.append(
            _auc_of(SortedRows(clicks[part], scores[part], groups[part], each))
        )
    values, sizes = map(np.concatenate, zip(*found, strict=True))
    return values, sizes


def _ranges_of(groups: NDArray) -> Iterator[NDArray | slice]:
    """The rows of ranges of groups, about as many at a time as a bound."""
    n = len(groups)
    if n <= _AT_ONCE:
        yield slice(None)
        return
    places = np.arange(_AT_ONCE, n, _AT_ONCE)
    bounds = np.unique(np.partition(groups, places)[places])
    begins = [None, *bounds]
    for begin, end in zip(begins, [*bounds, None], strict=True):
        inside = np.ones(n, bool)
        if begin is not None:
            inside &= groups >= begin
        if end is not None:
            inside &= groups < end
        if inside.all():
            yield slice(None)
        elif inside.any():
            yield np.flatnonzero(inside)


def _auc_of(users: SortedRows) -> tuple[Floats, NDArray]:
    """See `auc_by_group`."""
    tie_start = np.searchsorted(users.tie_first_row, users.first_row)
    others = users.tie_others
    below = np.cumsum(others[::-1])[::-1] - others
    group_end = tie_start + np.diff(tie_start, append=len(others)) - 1
    below -= below[group_end][users.group_of_tie]
    half_wins = 2 * below
    half_wins += others
    half_wins *= users.tie_clicks
    wins = np.add.reduceat(half_wins, tie_start) / 2.0
    pairs = users.clicks * users.others
    values = np.full(len(pairs), np.nan)
    np.divide(wins, pairs, out=values, where=pairs > 0)
    # Sums of weights are rounded.
    return np.clip(values, 0.0, 1.0), users.clicks + users.others


def _mean(values: NDArray, weights: Floats | None) -> float:
    if weights is None:
        return float(values.mean())
    return float((values * weights).sum() / weights.sum())


def _sum(values: NDArray, weights: Floats | None) -> float:
    return float((values if weights is None else values * weights).sum())


def _log_choose(n: Ints, m: Ints) -> Floats:
    counts = np.arange(1, max(int(n.max(initial=0)), 1) + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts))])
    return log_factorial[n] - log_factorial[m] - log_factorial[n - m]
