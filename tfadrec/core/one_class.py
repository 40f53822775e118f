"""Labels of one class, from which nothing can be learned or told."""

import numpy as np
from numpy.typing import NDArray


def one_class(
    label: str, values: NDArray, weights: NDArray | None, rows: str
) -> str:
    """A line's beginning where all rows have one value, else "".

    Args:
      label: its name.
      values: [n] of 0 and 1.
      weights: [n], of which 0 takes a row out; None for 1 each.
      rows: what they are called.
    """
    if weights is not None:
        values = values[np.asarray(weights) > 0]
    if not len(values) or np.min(values) != np.max(values):
        return ""
    return f"{label} is {values[0]:g} in all {len(values):,} {rows}"
