"""Several p-values, corrected for their number."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: the chance of a single false finding stays below p.

    The i-th smallest of m p-values, i from 0, is multiplied by m - i; none is
    less than one before it, and none above 1. What is nan stays so and is not
    counted.

    Args:
      p_values: [m].

    Reference:
      Holm, "A Simple Sequentially Rejective Multiple Test Procedure",
      Scandinavian Journal of Statistics 6(2), 1979.

    Example:
      >>> holm([0.01, 0.04, 0.03])
      [0.03, 0.06, 0.06]
    """
    values = np.array(p_values, np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    corrected = np.maximum.accumulate(factors * values[order])
    values[order] = np.minimum(corrected, 1.0)
    return values.tolist()
