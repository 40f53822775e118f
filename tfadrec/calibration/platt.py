"""A slope and a level."""

import numpy as np
import tensorflow as tf

from tfadrec.calibration.method import Floats, Method
from tfadrec.core.logistic import fit_weights

#: The least slope, which keeps an order and tells next to nothing by it.
LEAST_SLOPE = 1e-3


class Platt(Method):
    """Platt scaling, z' = slope z + level.

    Args:
      slope: > 0.
      level: of the logit.

    Reference:
      Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons
      to Regularized Likelihood Methods", 1999, without its priors.
    """

    def __init__(self, slope: float, level: float) -> None:
        self.slope = slope
        self.level = level

    @classmethod
    def fit(cls, logits: Floats, labels: Floats, weights: Floats) -> "Platt":
        """By maximum likelihood."""
        columns = np.stack([logits, np.ones(len(logits))], axis=1)
        slope, level = fit_weights(columns, labels, weights, np.array([1.0, 0]))
        if slope < LEAST_SLOPE:
            rest = logits * LEAST_SLOPE
            (level,) = _level(rest, labels, weights)
            slope = LEAST_SLOPE
        return cls(float(slope), float(level))

    def __call__(self, logits: tf.Tensor) -> tf.Tensor:
        """Slope z + level."""
        return self.slope * logits + self.level


def _level(offset: Floats, labels: Floats, weights: Floats) -> Floats:
    """The level beside an offset, whose column keeps the weight 1."""
    level = 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(offset + level)))
        step = weights @ (p - labels) / (weights @ (p * (1 - p)))
        level -= float(np.clip(step, -2, 2))
    return np.array([level])
