"""A matrix of one column."""

import numpy as np

from tfadrec.evaluation.baselines.logits import Floats


class OneColumn:
    """A design of one column of numbers.

    Args:
      column: [n].
    """

    def __init__(self, column: Floats) -> None:
        self.size, self._column = 1, column

    def dot(self, weights: Floats) -> Floats:
        """See `Design`."""
        return self._column * weights[0]

    def transposed(self, values: Floats) -> Floats:
        """See `Design`."""
        return np.array([self._column @ values])

    def squares(self, values: Floats) -> Floats:
        """See `Design`."""
        return np.array([np.square(self._column) @ values])
