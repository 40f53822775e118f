"""What the statistics of a comparison read."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class ComparedRows:
    """The rows that a metric is measured on.

    Args:
      labels: [n].
      users: integers [n].
      units: integers [n] in [0, num_units).
      num_units: U.
      weights: float64 [n], how many rows each row stands for, or None for one.
    """

    labels: NDArray
    users: NDArray
    units: NDArray
    num_units: int
    weights: NDArray | None

    @property
    def counts(self) -> Floats:
        """How many rows each row stands for, [n]."""
        if self.weights is None:
            return np.ones(len(self.labels))
        return np.asarray(self.weights, np.float64)
