"""Points of a path, and what each of them counts for."""

import numpy as np
from numpy.typing import NDArray


def gauss_legendre(steps: int) -> tuple[NDArray, NDArray]:
    """Points and weights of the integral over [0, 1], float64 [steps] each.

    Args:
      steps: points, >= 1.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2
