"""Logistic regression with a handful of weights."""

import numpy as np

from tfadrec.calibration.method import Floats

#: Steps of Newton's method at most; it needs some six.
_STEPS = 50
#: The slightest penalty, for columns that are the same in all rows.
_PENALTY = 1e-6


def fit_weights(
    columns: Floats, labels: Floats, weights: Floats, start: Floats
) -> Floats:
    """Weights b by which sigmoid(columns b) is most likely.

    With a penalty of 1e-6 / 2 |b - start|^2 on the sum over rows, so that what
    the rows do not tell stays as it was. A step that makes it worse is halved.

    Args:
      columns: [n, k].
      labels: [n], 0 and 1.
      weights: [n], how many rows each stands for.
      start: [k].

    Returns:
      float64 [k].
    """

    def loss(b):
        z = columns @ b
        values = np.logaddexp(0.0, np.where(labels == 1, -z, z))
        return weights @ values + _PENALTY / 2 * np.square(b - start).sum()

    b = np.asarray(start, np.float64)
    best = loss(b)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(columns @ b, -500, 500)))
        slope = columns.T @ (weights * (p - labels)) + _PENALTY * (b - start)
        curve = (columns.T * (weights * p * (1 - p))) @ columns
        step = np.linalg.solve(curve + _PENALTY * np.eye(len(b)), slope)
        scale = 1.0
        while loss(b - scale * step) > best and scale > 1e-6:
            scale /= 2
        b = b - scale * step
        before, best = best, loss(b)
        if before - best <= 1e-12 * max(1.0, abs(best)):
            break
    return b
