"""What every way to calibrate does."""

import abc
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Method(abc.ABC):
    """A rising function of a logit, with numbers that rows have told.

    It is made of TensorFlow's core ops, so evaluation and a served graph run
    the same code. It rises strictly, so the order of ads stays as it was.
    """

    @classmethod
    @abc.abstractmethod
    def fit(cls, logits: Floats, labels: Floats, weights: Floats) -> "Method":
        """Learns from rows of both classes.

        Args:
          logits: [n], finite.
          labels: [n], 0 and 1.
          weights: [n], how many rows each stands for.
        """

    @abc.abstractmethod
    def __call__(self, logits: tf.Tensor) -> tf.Tensor:
        """Calibrated logits, of the shape and type of the logits."""

    def numbers(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain numbers for JSON."""
        return dict(vars(self))
