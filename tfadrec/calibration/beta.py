"""Two slopes, for small and for large probabilities."""

import numpy as np
import tensorflow as tf

from tfadrec.calibration.method import Floats, Method
from tfadrec.calibration.platt import LEAST_SLOPE, Platt
from tfadrec.core.logistic import fit_weights


class Beta(Method):
    """Beta calibration, z' = a log p - b log(1 - p) + level, p = sigmoid(z).

    With a = b it is `Platt`. For small p the slope is a, for large ones b.

    Args:
      a: >= 0.
      b: >= 0; not both are 0.
      level: of the logit.

    Reference:
      Kull, Silva Filho and Flach, "Beta calibration: a well-founded and easily
      implemented improvement on logistic calibration for binary classifiers",
      AISTATS 2017.
    """

    def __init__(self, a: float, b: float, level: float) -> None:
        self.a = a
        self.b = b
        self.level = level

    @classmethod
    def fit(cls, logits: Floats, labels: Floats, weights: Floats) -> "Beta":
        """By maximum likelihood; a slope below 0 is taken out, as there."""
        columns = np.stack(
            [
                -np.logaddexp(0.0, -logits),
                np.logaddexp(0.0, logits),
                np.ones(len(logits)),
            ],
            axis=1,
        )
        start = np.array([1.0, 1.0, 0.0])
        found = fit_weights(columns, labels, weights, start)
        for slope in (0, 1):
            if found[slope] < 0:
                kept = [1 - slope, 2]
                found = np.zeros(3)
                found[kept] = fit_weights(
                    columns[:, kept], labels, weights, start[kept]
                )
        if min(found[:2]) < 0 or sum(found[:2]) < LEAST_SLOPE:
            line = Platt.fit(logits, labels, weights)
            return cls(line.slope, line.slope, line.level)
        a, b, level = map(float, found)
        return cls(max(a, LEAST_SLOPE), max(b, LEAST_SLOPE), level)

    def __call__(self, logits: tf.Tensor) -> tf.Tensor:
        """-a softplus(-z) + b softplus(z) + level."""
        above, below = tf.nn.softplus(logits), tf.nn.softplus(-logits)
        return self.b * above - self.a * below + self.level
