"""Weights whose products stay in the range of a double."""

import numpy as np


def near_one(weights: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Weights of the same ratios, bit by bit, the largest in [0.5, 1).

    Args:
      weights: float64 [n], finite and >= 0.
      largest: of all weights, where these are some of them.
    """
    if largest is None:
        largest = np.max(weights, initial=0.0)
    _, exponent = np.frexp(largest)
    return np.ldexp(weights, -exponent)
