"""The loss of a real label, by the square of the error."""

from tfadrec.core.door import register, tf
from tfadrec.losses.task_loss import TaskLoss


@register
class SquaredError(TaskLoss):
    """The squared error (y - o)^2, [B] or [B, C] to the same.

    The best output o is the mean of the label y: `expected` and `score` are o.

    Args:
      name: string, the name in logs.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels, [B] or [B, C], any real numbers.
      y_pred: float, the outputs, as the labels.

    Returns:
      float32 as the labels, before the reduction.

    Example:
      >>> float(SquaredError()([1.0, 5.0], [0.0, 2.0]))
      5.0
    """

    is_binary = False

    def __init__(self, name: str = "squared", **kwargs) -> None:
        super().__init__(name=name, **kwargs)

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row; see the base class."""
        return tf.math.squared_difference(labels, outputs)
