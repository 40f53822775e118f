"""The calibration of one task."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfadrec.calibration.method import Method
from tfadrec.calibration.methods import METHODS


@dataclasses.dataclass(frozen=True)
class TaskCalibration:
    """A rising curve for all rows, and a shift for each value of a field.

    Args:
      method: its name in `METHODS`.
      curve: of that method.
      shifts: [codes], added by the value of the field; None without a field.
    """

    method: str
    curve: Method
    shifts: np.ndarray | None = None

    def __call__(
        self, logits: tf.Tensor, codes: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Calibrated logits.

        Args:
          logits: float [...].
          codes: int [...] or what broadcasts to it, the value of the field;
            beyond the shifts is unknown. None where nothing is known.
        """
        found = self.curve(logits)
        if self.shifts is None or codes is None:
            return found
        shifts = tf.constant(self.shifts, logits.dtype)
        known = (codes >= 0) & (codes < len(self.shifts))
        return found + tf.gather(shifts, tf.where(known, codes, 0))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        shifts = None if self.shifts is None else self.shifts.tolist()
        return {
            "method": self.method,
            "numbers": self.curve.numbers(),
            "shifts": shifts,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TaskCalibration":
        """What `to_dict` gave.

        Raises:
          KeyError, TypeError, ValueError: for anything else.
        """
        curve = METHODS[values["method"]](**values["numbers"])
        shifts = values["shifts"]
        if shifts is not None:
            shifts = np.array(shifts, np.float64)
            if shifts.ndim != 1 or not np.isfinite(shifts).all():
                raise ValueError("shifts")
        return cls(values["method"], curve, shifts)
