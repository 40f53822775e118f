"""Logits that say too much."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tfadrec.diagnosis.finding import Finding

#: A logit this far from 0 is one in ten million.
_FAR = 16.0


def saturated(where: str, logits: NDArray) -> Iterator[Finding]:
    """Probabilities of 0 or 1, for all that can be told.

    Args:
      where: whose logits they are.
      logits: [n], at least one.
    """
    far = ~(np.abs(logits) < _FAR)
    if far.mean() > 0.01:
        yield Finding(
            "saturated_logits",
            "warning",
            where,
            f"logits lie beyond {_FAR:.0f}",
            f"{100 * far.mean():.0f} % of the rows",
            "Give large numbers `log1p` or a range, or lower the learning "
            "rate.",
        )
