"""What was known at the moment of each row: counts of the rows before it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
#: Seconds.
DAY = 86_400


def group_of(codes: list[np.ndarray]) -> np.ndarray:
    """One number for each combination of codes.

    Args:
      codes: arrays [n] of whole numbers >= 0, 0 = unknown.

    Returns:
      int64 [n] from 1 on; 0 where a code is 0.
    """
    if len(codes) == 1:
        return codes[0].astype(np.int64)
    keys = np.zeros(len(codes[0]), np.int64)
    is_known = np.ones(len(keys), bool)
    size = 1
    for part in codes:
        width = int(part.max(initial=0)) + 1
        if size * width >= 2**62:
            # As few numbers as there are combinations so far.
            distinct, keys = np.unique(keys, return_inverse=True)
            size = len(distinct)
        keys = keys * width + part
        size *= width
        is_known &= part > 0
    _, groups = np.unique(keys, return_inverse=True)
    return np.where(is_known, groups + 1, 0)


def known_at(requests: np.ndarray, times: np.ndarray) -> np.ndarray:
    """When each row's request was over: the time of its last row, int64 [n].

    Args:
      requests: int [n] >= 0, the request of each row.
      times: int64 [n] seconds.
    """
    if not len(times):
        return times
    last = np.full(int(requests.max()) + 1, times.min())
    np.maximum.at(last, requests, times)
    return last[requests]


def counts_as_of(
    groups: np.ndarray,
    times: np.ndarray,
    known: np.ndarray,
    clicks: Floats,
    weights: Floats,
    days: float = 0.0,
) -> tuple[Floats, Floats]:
    """How often each row's group was shown and clicked before the row.

    Rows count where they were known before, and so neither themselves nor the
    others of their second and request.

    Args:
      groups: int64 [n] >= 0; rows of group 0 have none.
      times: int64 [n] seconds.
      known: int64 [n] >= `times`, as from `known_at`.
      clicks: [n], 0 or 1.
      weights: [n] >= 0, how many rows each row stands for.
      days: how far back rows count; 0 for all of them.

    Returns:
      Two arrays [n].
    """
    shown, clicked = sums_before(
        groups, times, groups, known, (weights, weights * clicks), days
    )
    return shown, clicked


def sums_before(
    asked: np.ndarray,
    times: np.ndarray,
    groups: np.ndarray,
    known: np.ndarray,
    values: Sequence[Floats],
    days: float = 0.0,
) -> list[Floats]:
    """Sums over the rows of a group that were known before some moments.

    Args:
      asked: int64 [n] >= 0, the group of each moment; of group 0 nothing is
        known.
      times: int64 [n] seconds, the moments.
      groups: int64 [m] >= 0, of the rows.
      known: int64 [m] seconds, when each row was known.
      values: arrays [m], to be summed.
      days: how far back rows count; 0 for all of them.

    Returns:
      An array [n] for each of `values`.
    """
    if not len(asked) or not len(groups):
        return [np.zeros(len(asked)) for _ in values]
    first = min(times.min(), known.min())
    span = int(max(times.max(), known.max()) - first) + 1
    window = int(days * DAY) or span
    # One number that sorts by group and then by time.
    keys = groups * span + (known - first)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = asked * span
    now = starts + (times - first)
    # Asked in order, as near places are found sooner.
    turn = np.argsort(now, kind="stable")
    starts, now = starts[turn], now[turn]
    end = np.searchsorted(keys, now)
    begin = np.searchsorted(keys, np.maximum(now - window, starts))
    sums = []
    for each in values:
        total = np.append(0.0, np.cumsum(each[order]))
        found = np.empty(len(now))
        found[turn] = total[end] - total[begin]
        sums.append(np.where(asked > 0, found, 0.0))
    return sums


def rate_of(shown: Floats, clicked: Floats) -> Floats:
    """The click rate of all rows, drawn to one half by two rows."""
    return (clicked + 1) / (shown + 2)


def values_of(
    kind: str, shown: Floats, clicked: Floats, rate: Floats, prior: float
) -> Floats:
    """Counts as a model reads them.

    With n rows and c clicks, and the click rate p of all rows, a rate is

        logit((c + m p) / (n + m)) - logit(p),

    which is 0 where nothing is known, and a count is log(1 + n).

    Args:
      kind: `rate` or `count`.
      shown: n, [k].
      clicked: c, [k].
      rate: p in (0, 1), [k] or one number.
      prior: m > 0, how many rows of the rate p stand before the first one.
    """
    if kind == "count":
        return np.log1p(shown)
    clicked = np.minimum(clicked, shown)  # sums of weights are rounded
    odds = (clicked + prior * rate) / (shown - clicked + prior * (1 - rate))
    return np.log(odds) - np.log(rate / (1 - rate))
