"""Means to logits."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: No probability is closer to 0 or 1, so that every logit is finite.
_LEAST = 1e-7


def from_mean(mean: Floats | float, is_binary: bool) -> Floats:
    """The logit of a probability; the mean of a real label as it is."""
    if not is_binary:
        return np.asarray(mean, np.float64)
    probability = np.clip(mean, _LEAST, 1 - _LEAST)
    return np.log(probability) - np.log1p(-probability)
