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

With `where`, a bool of each row, the rows count that it names. No array is
copied: rows are read block by block, and sorted range by range (`Rows`), so
that memory does not grow with their number. Arrays may be mapped files. Counts
are exact; sums of more than one block may differ in the last bits from those of
all rows at once.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.metrics import checks
from tfadrec.metrics.rows import Rows
from tfadrec.metrics.sorted_rows import Floats, Ints, SortedRows


def auc(
    labels: ArrayLike,
    scores: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """The chance that a click scores above a non-click, ties counting half.

    The area under the ROC curve, equal to the Mann-Whitney statistic
    U / (clicks * non-clicks).

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in [0, 1]; nan where only one class is present.
    """
    return float(auc_by_group(labels, scores, None, weights, where)[0][0])


def group_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
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
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in [0, 1]; nan where no user has both classes.
    """
    sums, total = [], 0
    for values, sizes in _aucs(Rows(labels, scores, weights, groups, where)):
        defined = ~np.isnan(values)
        sums.append(float(values[defined] @ sizes[defined]))
        total += sizes[defined].sum()
    return math.fsum(sums) / float(total) if total else float("nan")


def uauc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """AUC within each user who has both classes, every such user alike.

    `group_auc` without its weights: heavy users do not outvote the others.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      groups: [n], integers or strings, the user of each impression.
      weights: [n], how many rows each stands for within its user; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in [0, 1]; nan where no user has both classes.
    """
    sums, count = [], 0
    for values, _ in _aucs(Rows(labels, scores, weights, groups, where)):
        defined = values[~np.isnan(values)]
        sums.append(float(defined.sum()))
        count += len(defined)
    return math.fsum(sums) / count if count else float("nan")


def log_loss(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """Mean negative log likelihood in nats, from logits, in float64.

    mean(log(1 + exp(-z))) over clicks and log(1 + exp(z)) over the rest: no
    probability is formed, so large logits keep their digits.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value >= 0.
    """
    return Rows(labels, logits, weights, where=where).mean(_losses)


def normalized_entropy(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """Log loss over that of always predicting the observed click rate.

    NE = log_loss / -(p log p + (1 - p) log(1 - p)), p the click rate of these
    very labels. Below 1 is better than a constant. He et al., "Practical
    Lessons from Predicting Clicks on Ads at Facebook", 2014, equation 3.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value >= 0; nan where only one class is present.
    """
    rows = Rows(labels, logits, weights, where=where)
    rate = rows.mean(_clicks)
    if rate in (0.0, 1.0):
        return float("nan")
    entropy = -(rate * np.log(rate) + (1.0 - rate) * np.log1p(-rate))
    return float(rows.mean(_losses) / entropy)


def calibration_ratio(
    labels: ArrayLike,
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """Predicted clicks over observed clicks: 1 is calibrated, 2 bids double.

    sum_i sigmoid(z_i) / sum_i y_i. He et al. 2014, section 2.

    Args:
      labels: [n], 0 or 1.
      logits: [n], log odds of a click.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value >= 0; nan where there is no click.
    """
    rows = Rows(labels, logits, weights, where=where)
    observed = rows.sum(_clicks)
    if not observed:
        return float("nan")
    return rows.sum(lambda _, z: sigmoid(z)) / observed


def rmse(
    labels: ArrayLike,
    predictions: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """The root of the mean squared error, in the unit of the label.

    Args:
      labels: [n], real numbers.
      predictions: [n], the predicted labels.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value >= 0.
    """
    rows = Rows(labels, predictions, weights, where=where, amounts=True)
    return math.sqrt(rows.mean(lambda y, p: np.square(p - y)))


def mae(
    labels: ArrayLike,
    predictions: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """The mean absolute error, in the unit of the label.

    Args:
      labels: [n], real numbers.
      predictions: [n], the predicted labels.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value >= 0.
    """
    rows = Rows(labels, predictions, weights, where=where, amounts=True)
    return rows.mean(lambda y, p: np.abs(p - y))


def mean_ratio(
    labels: ArrayLike,
    predictions: ArrayLike,
    weights: ArrayLike | None = None,
    where: ArrayLike | None = None,
) -> float:
    """The sum of the predictions over that of the labels: 1 is calibrated.

    `calibration_ratio` for labels that are amounts.

    Args:
      labels: [n], real numbers.
      predictions: [n], the predicted labels.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value; nan where the labels add up to 0.
    """
    rows = Rows(labels, predictions, weights, where=where, amounts=True)
    observed = rows.sum(lambda y, _: y)
    if not observed:
        return float("nan")
    return rows.sum(lambda _, p: p) / observed


def ndcg(
    labels: ArrayLike,
    scores: ArrayLike,
    requests: ArrayLike,
    k: int,
    where: ArrayLike | None = None,
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
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in [0, 1]; nan where no request has both classes.
    """
    checks.ranks(k)
    discounts = 1.0 / np.log2(np.arange(k) + 2.0)
    best = np.concatenate([[0.0], np.cumsum(discounts)])

    def of(slates: SortedRows) -> Floats:
        first = slates.above
        last = np.minimum(first + slates.tie_sizes, k)
        gains = slates.tie_clicks / slates.tie_sizes
        gains *= best[last] - best[np.minimum(first, k)]
        dcg = np.add.reduceat(gains, slates.first_tie)
        ideal = best[np.minimum(slates.clicks, k)]
        return _over(dcg, ideal)

    rows = Rows(labels, scores, groups=requests, where=where)
    return rows.mean_of_groups(of)


def mrr(
    labels: ArrayLike,
    scores: ArrayLike,
    requests: ArrayLike,
    where: ArrayLike | None = None,
) -> float:
    """Mean of 1 / rank of the first click, over the requests of `ndcg`.

    Voorhees, "The TREC-8 Question Answering Track Report", 1999. Equal scores:
    where m clicks stand among the n rows of a tie with s rows above it, the
    first click is the tie's row j = 0, 1, ... with probability
    C(n - j - 1, m - 1) / C(n, m), and its reciprocal rank is 1 / (s + j + 1).

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      requests: [n], integers or strings, the request of each impression.
      where: bool [n], the rows that count; None = all.

    Returns:
      A value in (0, 1]; nan where no request has both classes.
    """
    rows = Rows(labels, scores, groups=requests, where=where)
    return rows.mean_of_groups(_reciprocal_rank)


def sigmoid(logits: Floats) -> Floats:
    """Probabilities of float64 logits [n], without overflow."""
    return np.exp(-np.logaddexp(0.0, -logits))


def auc_by_group(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None,
    weights: ArrayLike | None,
    where: ArrayLike | None = None,
) -> tuple[Floats, NDArray]:
    """The AUC of each group, in the order of `np.unique(groups)`.

    Args:
      labels: [n], 0 or 1.
      scores: [n], any monotone function of the probability.
      groups: [n], integers or strings; None = one group.
      weights: [n], how many rows each stands for; None = one.
      where: bool [n], the rows that count; None = all.

    Returns:
      The AUC of each group, nan where it has one class, and its weight.
    """
    found = _aucs(Rows(labels, scores, weights, groups, where))
    values, sizes = map(np.concatenate, zip(*found, strict=True))
    return values, sizes


def _aucs(rows: Rows) -> Iterator[tuple[Floats, NDArray]]:
    """The AUC and the weight of each group, some groups at a time."""
    held: list[NDArray] | None = None
    for some in rows.in_order():
        found = _wins(some)
        if held is not None and held[0] == found[0][0]:
            found = _joined(held, found)
        elif held is not None:
            yield _auc_of(held)
        # The last group may go on in the next range.
        yield _auc_of([column[:-1] for column in found])
        held = [column[-1:] for column in found]
    if held is not None:
        yield _auc_of(held)


def _wins(rows: SortedRows) -> list[NDArray]:
    """Groups, their clicks and others, and twice the pairs that are right."""
    others = rows.tie_others
    below = np.cumsum(others[::-1])[::-1] - others
    last_tie = np.append(rows.first_tie[1:], len(others)) - 1
    below -= below[last_tie][rows.group_of_tie]
    half_wins = 2 * below
    half_wins += others
    half_wins *= rows.tie_clicks
    won = np.add.reduceat(half_wins, rows.first_tie)
    return [rows.groups, rows.clicks, rows.others, won]


def _joined(above: list[NDArray], found: list[NDArray]) -> list[NDArray]:
    """Groups, the first of which has more rows with higher scores."""
    groups, clicks, others, won = (column.copy() for column in found)
    won[0] += above[3][0] + 2 * above[1][0] * others[0]
    clicks[0] += above[1][0]
    others[0] += above[2][0]
    return [groups, clicks, others, won]


def _auc_of(found: list[NDArray]) -> tuple[Floats, NDArray]:
    """See `auc_by_group`."""
    _, clicks, others, won = found
    # Sums of weights are rounded.
    values = np.clip(_over(won / 2.0, clicks * others), 0.0, 1.0)
    return values, clicks + others


def _reciprocal_rank(slates: SortedRows) -> Floats:
    """Of each request; see `mrr`."""
    with_click = np.flatnonzero(slates.tie_clicks > 0)
    whose, first = np.unique(slates.group_of_tie[with_click], return_index=True)
    ties = with_click[first]
    n, m = slates.tie_sizes[ties], slates.tie_clicks[ties]
    places = n - m + 1
    of_place = np.repeat(np.arange(len(ties)), places)
    j = np.arange(len(of_place)) - (np.cumsum(places) - places)[of_place]
    rank = slates.above[ties][of_place] + j + 1
    n, m = n[of_place], m[of_place]
    chance = np.exp(_log_choose(n - j - 1, m - 1) - _log_choose(n, m))
    found = np.bincount(
        whose[of_place], chance / rank, minlength=len(slates.groups)
    )
    return found.astype(np.float64)


def _clicks(clicks: NDArray, _: Floats) -> NDArray:
    return clicks


def _losses(clicks: NDArray, logits: Floats) -> Floats:
    return np.logaddexp(0.0, np.where(clicks, -logits, logits))


def _over(above: NDArray, below: NDArray) -> Floats:
    """A quotient, nan where there is nothing to divide by."""
    found = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found


def _log_choose(n: Ints, m: Ints) -> Floats:
    counts = np.arange(1, max(int(n.max(initial=0)), 1) + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(counts))])
    return log_factorial[n] - log_factorial[m] - log_factorial[n - m]
