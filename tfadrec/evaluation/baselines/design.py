"""A matrix of a regression, as Newton's method asks for it."""

from typing import Protocol

from tfadrec.evaluation.baselines.logits import Floats


class Design(Protocol):
    """A matrix X [n, M] that is never formed."""

    size: int

    def dot(self, weights: Floats) -> Floats:
        """X w, [n]."""

    def transposed(self, values: Floats) -> Floats:
        """X^T v, [M]."""

    def squares(self, values: Floats) -> Floats:
        """(X * X)^T v, [M]."""
