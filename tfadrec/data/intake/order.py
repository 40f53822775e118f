"""Orders of rows by two columns, and places in the order of one."""

from collections.abc import Callable, Iterable

import numpy as np

_BINS = 1 << 16
#: One number in so many tells where parts begin.
_SAMPLED = 64


def order_by(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """The order by `first`, and where that is equal by `then`; it is stable.

    Args:
      first: whole numbers [n].
      then: whole numbers [n].
    """
    if not len(first):
        return np.arange(0)
    low, span = int(then.min()), int(then.max()) - int(then.min()) + 1
    least = int(first.min())
    if (int(first.max()) - least + 1) * span >= 2**63:
        return np.lexsort((then, first))
    # One key is sorted in half of the time of two.
    key = (first.astype(np.int64) - least) * span + (then - low)
    bits = (len(key) - 1).bit_length()
    if int(key.max()).bit_length() + bits > 63:
        return np.argsort(key, kind="stable")
    # Keys that end in the rows' numbers are sorted in a quarter of the time in
    # which these are sorted by them.
    key = (key << bits) | np.arange(len(key))
    key.sort()
    return key & ((1 << bits) - 1)


def kth_smallest(read: Callable[[], Iterable[np.ndarray]], k: int) -> int:
    """One of many numbers by its place, found without sorting them.

    The range in which it lies is cut into bins, whose numbers are counted,
    until it holds one value.

    Args:
      read: gives the numbers, arrays of int64, each time it is called.
      k: its place among them, from 0 on.
    """
    ends = [(v.min(), v.max()) for v in read() if len(v)]
    low = min(int(least) for least, _ in ends)
    high = max(int(most) for _, most in ends)
    while low < high:
        width = (high - low) // _BINS + 1
        counts = np.zeros(_BINS, np.int64)
        for values in read():
            inside = values[(values >= low) & (values <= high)]
            counts += np.bincount((inside - low) // width, minlength=_BINS)
        below = np.cumsum(counts) - counts
        at = int(np.searchsorted(below, k, side="right")) - 1
        k -= int(below[at])
        low += at * width
        high = min(high, low + width - 1)
    return low


def even_bounds(values: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Numbers by which many are cut into ranges of about equally many.

    Args:
      values: int64 arrays, of which a sample is looked at.
      count: of the ranges, >= 1.

    Returns:
      int64 [count - 1], where ranges begin but for the first one.
    """
    if count == 1:
        return np.zeros(0, np.int64)
    sample = np.sort(np.concatenate([array[::_SAMPLED] for array in values]))
    return sample[np.arange(1, count) * len(sample) // count]
