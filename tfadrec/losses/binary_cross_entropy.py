"""The loss of a label of 0 or 1."""

from tfadrec.core.door import register
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.ops import ranking_losses


@register
class BinaryCrossEntropy(TaskLoss):
    """Binary cross-entropy of logits, [B] or [B, C] to the same.

        -y log(sigmoid(z)) - (1 - y) log(1 - sigmoid(z))

    The logit z is never made a probability, so it may be as large as it likes.
    `expected` is sigmoid(z), `score` is z.

    Args:
      name: string, the name in logs.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels y, [B] or [B, C], in [0, 1]; a rate is allowed.
      y_pred: float, the logits z, as the labels.

    Returns:
      float32 as the labels, before the reduction.

    Example:
      >>> round(float(BinaryCrossEntropy()([1.0, 0.0], [0.0, 0.0])), 4)
      0.6931
    """

    def __init__(self, name: str = "binary", **kwargs) -> None:
        super().__init__(name=name, **kwargs)

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row; see the base class."""
        return ranking_losses.binary_cross_entropy(labels, outputs)
