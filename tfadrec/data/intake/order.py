"""Orders of rows by two columns."""

import numpy as np


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
    return np.argsort(key, kind="stable")
