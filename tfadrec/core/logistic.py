"""Logistic regression with a handful of weights."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Steps of Newton's method at most; it needs some six.
_STEPS = 50
#: The slightest penalty, for columns that are the same in all rows.
_SLIGHT = 1e-6


def fit_weights(
    columns: Floats,
    labels: Floats,
    weights: Floats,
    start: Floats,
    penalty: float | Floats = _SLIGHT,
) -> Floats:
    """Weights b by which sigmoid(columns b) is most likely.

    With a penalty of sum_j p_j (b_j - start_j)^2 / 2 on the sum over rows, so
    that what the rows do not tell stays as it was. A step that makes it worse
    is halved.

    Args:
      columns: [n, k].
      labels: [n], 0 and 1.
      weights: [n], how many rows each stands for.
      start: [k].
      penalty: p, one number or [k].

    Returns:
      float64 [k].
    """
    pulls = np.broadcast_to(penalty, np.shape(start))

    def loss(b):
        z = columns @ b
        values = np.logaddexp(0.0, np.where(labels == 1, -z, z))
        return weights @ values + pulls @ np.square(b - start) / 2

    b = np.asarray(start, np.float64)
    best = loss(b)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(columns @ b, -500, 500)))
        slope = columns.T @ (weights * (p - labels)) + pulls * (b - start)
        curve = (columns.T * (weights * p * (1 - p))) @ columns
        step = np.linalg.solve(curve + np.diag(pulls), slope)
        scale = 1.0
        while loss(b - scale * step) > best and scale > 1e-6:
            scale /= 2
        b = b - scale * step
        before, best = best, loss(b)
        if before - best <= 1e-12 * max(1.0, abs(best)):
            break
    return b
