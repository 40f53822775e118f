"""Weights whose products stay in the range of a double."""

import numpy as np


def near_one(weights: np.ndarray) -> np.ndarray:
    """Weights of the same ratios, bit by bit, the largest in [0.5, 1).

    Args:
      weights: float64 [n], finite and >= 0.
    """
    _, exponent = np.frexp(np.max(weights, initial=0.0))
    return np.ldexp(weights, -exponent)
