"""How far each value of a field is off."""

import numpy as np

from tfadrec.calibration.method import Floats

_STEPS = 30


def fit_shifts(
    logits: Floats,
    labels: Floats,
    weights: Floats,
    codes: np.ndarray,
    size: int,
) -> Floats:
    """A level for each value of a field, drawn towards none.

    The shift t_v of value v has the prior N(0, s^2), and is the most likely one
    given the value's rows: values of few rows hardly move. s^2 is how much more
    the shifts of single values vary than chance tells (the moment estimator of
    DerSimonian and Laird on g_v / h_v, with g_v the sum of y - p over the rows
    and h_v that of p (1 - p)); where it is not more, nothing moves.

    Args:
      logits: [n], calibrated over all rows.
      labels: [n], 0 and 1.
      weights: [n], how many rows each stands for.
      codes: [n] in [0, size), the value of each row; 0 is unknown.
      size: of the shifts.

    Returns:
      float64 [size], 0 where there are no rows.
    """

    def sums(shifts):
        p = 1 / (1 + np.exp(-np.clip(logits + shifts[codes], -500, 500)))
        gaps = np.bincount(codes, weights * (labels - p), size)
        return gaps, np.bincount(codes, weights * p * (1 - p), size)

    shifts = np.zeros(size)
    gaps, mass = sums(shifts)
    variance = _variance(gaps, mass)
    if not variance:
        return shifts
    for _ in range(_STEPS):
        gaps, mass = sums(shifts)
        step = (gaps - shifts / variance) / (mass + 1 / variance)
        shifts = shifts + np.clip(step, -1, 1)
    return shifts


def _variance(gaps: Floats, mass: Floats) -> float:
    """How much the values differ beyond chance."""
    known = mass > 0
    means, mass = gaps[known] / mass[known], mass[known]
    if len(mass) < 2:
        return 0.0
    middle = (mass @ means) / mass.sum()
    spread = mass @ np.square(means - middle) - (len(mass) - 1)
    room = mass.sum() - np.square(mass).sum() / mass.sum()
    return max(0.0, float(spread / room)) if room > 0 else 0.0
