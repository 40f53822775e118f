"""Codes as a matrix of zeros and ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tfadrec.evaluation.baselines.logits import Floats


class OneHot:
    """A design of codes: one column of zeros and ones for each value.

    Args:
      codes: a list of int [n], of each field.
      sizes: how many codes each field has; a code beyond is a row of zeros.
    """

    def __init__(self, codes: Sequence[NDArray], sizes: Sequence[int]) -> None:
        self.size = sum(sizes)
        self._sizes = sizes
        # A place of its own for codes that are beyond, which is thrown away.
        self._codes = [
            np.minimum(column, size).astype(np.intp)
            for column, size in zip(codes, sizes, strict=True)
        ]

    def dot(self, weights: Floats) -> Floats:
        """See `Design`."""
        ends = np.cumsum(self._sizes)[:-1]
        total = np.zeros(len(self._codes[0]))
        for codes, own in zip(
            self._codes, np.split(weights, ends), strict=True
        ):
            total += np.append(own, 0.0)[codes]
        return total

    def transposed(self, values: Floats) -> Floats:
        """See `Design`."""
        return np.concatenate(
            [
                np.bincount(codes, values, size + 1)[:size]
                for codes, size in zip(self._codes, self._sizes, strict=True)
            ]
        )

    def squares(self, values: Floats) -> Floats:
        """See `Design`: a square of 0 or 1 is itself."""
        return self.transposed(values)
