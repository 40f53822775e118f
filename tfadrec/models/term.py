"""A term of a regression."""

from typing import NamedTuple

import numpy as np

from tfadrec.core.logistic import Floats


class Term(NamedTuple):
    """What the slopes of keys, such as ads, lean on.

    Attributes:
      keys: int [n], or [n, L] where a row has several; 0 is for keys that are
        not known, and has no slopes.
      size: how many keys there are.
      values: float32 [n, K]. Ones alone make the slope a level.
      shares: float32 [n, L], how much of a row's slope is that of each of its
        keys, of which the sum of sizes is 1 or below; None where a row has one.
    """

    keys: np.ndarray
    size: int
    values: np.ndarray
    shares: np.ndarray | None = None

    def take(self, rows: np.ndarray | slice) -> "Term":
        """That of some rows."""
        shares = None if self.shares is None else self.shares[rows]
        return Term(self.keys[rows], self.size, self.values[rows], shares)

    def told(self, slopes: Floats) -> Floats:
        """What slopes [size, K] add to the logits of rows, float64 [n]."""
        if self.shares is None:
            of_rows = slopes[self.keys]
        else:
            of_rows = np.zeros(self.values.shape)
            for keys, share in zip(self.keys.T, self.shares.T, strict=True):
                of_rows += slopes[keys] * share[:, None]
        return np.einsum("nk,nk->n", of_rows, self.values)

    def by_key(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of each key, one after the other: rows, keys, shares [m]."""
        if self.shares is None:
            rows = np.argsort(self.keys, kind="stable")
            return rows, self.keys[rows], np.ones(1, np.float32)
        rows, places = np.nonzero(self.keys)
        keys = self.keys[rows, places]
        order = np.argsort(keys, kind="stable")
        rows, places = rows[order], places[order]
        return rows, keys[order], self.shares[rows, places]
