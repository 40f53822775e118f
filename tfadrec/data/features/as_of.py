"""What was known at the moment of each row: counts of the rows before it."""

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
    for part in codes:
        _, places = np.unique(part, return_inverse=True)
        # Distinct combinations so far, so that products stay small.
        _, keys = np.unique(keys, return_inverse=True)
        keys = keys * (places.max(initial=0) + 1) + places
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
    if not len(groups):
        return np.zeros(0), np.zeros(0)
    first = times.min()
    span = int(known.max() - first) + 1
    window = int(days * DAY) or span
    # One number that sorts by group and then by time.
    starts = groups * span
    keys = starts + (known - first)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    # Asked in that order, as near places are found sooner.
    now = (starts + (times - first))[order]
    end = np.searchsorted(keys, now)
    begin = np.searchsorted(keys, np.maximum(now - window, starts[order]))
    is_known = groups > 0
    counts = []
    for values in (weights, weights * clicks):
        total = np.append(0.0, np.cumsum(values[order]))
        found = np.empty(len(keys))
        found[order] = total[end] - total[begin]
        counts.append(np.where(is_known, found, 0.0))
    return counts[0], counts[1]


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
