"""A slope alone."""

import numpy as np
import tensorflow as tf

from tfadrec.calibration.method import Floats, Method
from tfadrec.calibration.platt import LEAST_SLOPE
from tfadrec.core.logistic import fit_weights


class Temperature(Method):
    """Temperature scaling, z' = z / temperature.

    The level is not mended: the mean of the predictions may stay wrong.

    Args:
      temperature: > 0, above 1 for a model that is too sure.

    Reference:
      Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section
      4.2.
    """

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    @classmethod
    def fit(
        cls, logits: Floats, labels: Floats, weights: Floats
    ) -> "Temperature":
        """By maximum likelihood."""
        (slope,) = fit_weights(logits[:, None], labels, weights, np.ones(1))
        return cls(1 / max(float(slope), LEAST_SLOPE))

    def __call__(self, logits: tf.Tensor) -> tf.Tensor:
        """Z / temperature."""
        return logits / self.temperature
