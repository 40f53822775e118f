"""The loss of a real label that is sometimes far off."""

import math

from tfadrec.core.door import register
from tfadrec.core.errors import InputError
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.ops import ranking_losses


@register
class Huber(TaskLoss):
    """Huber's loss, [B] or [B, C] to the same.

    With the error e = |y - o| of the output o,

        e^2 / 2                    where e <= delta,
        delta (e - delta / 2)      else,

    so that a row pulls on its output with delta at most. `expected` and `score`
    are o. Where the label is skewed, o lies below its mean.

    Args:
      delta: > 0, in the unit of the label.
      name: string, the name in logs.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels y, [B] or [B, C], any real numbers.
      y_pred: float, the outputs o, as the labels.

    Returns:
      float32 as the labels, before the reduction.

    Raises:
      InputError: where delta is not a finite number > 0.

    Example:
      >>> float(Huber(delta=2.0)([0.0], [5.0]))
      8.0

    Reference:
      Huber, "Robust Estimation of a Location Parameter", Annals of
      Mathematical Statistics 1964.
    """

    is_binary = False

    def __init__(
        self, delta: float = 1.0, name: str = "huber", **kwargs
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not (
            isinstance(delta, int | float)
            and not isinstance(delta, bool)
            and 0 < delta < math.inf
        ):
            raise InputError(
                f"`delta` must be a finite number > 0. Received: {delta!r}. "
                "Pass the error from which the loss grows linearly."
            )
        self.delta = delta

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row; see the base class."""
        return ranking_losses.huber(labels, outputs, self.delta)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "delta": self.delta}
