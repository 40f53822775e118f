"""A slate's clicks against the rest of the slate."""

from tfadrec.core.door import register
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.ops import ranking_losses


@register
class SoftmaxCrossEntropy(TaskLoss):
    """Softmax cross-entropy over each slate, [B, C] to [B, C].

    A slate with the labels y, the logits z and the weights w costs

        L = -sum_i (w_i y_i / sum_j w_j y_j)
             log(exp(z_i) / sum_j w_j exp(z_j)),

    where w is divided by its mean over the slate. It is the top-one form of
    ListNet with the labels' shares in place of their softmax. Every real row of
    the slate is given L; a slate without a positive label costs 0. A number
    added to all logits of a slate changes nothing, so `expected`, sigmoid(z),
    is a probability only where a loss such as `BinaryCrossEntropy` is added
    (`SumOfLosses`). `score` is z.

    Args:
      name: string, the name in logs.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels, [B, C], >= 0.
      y_pred: float [B, C], the logits.

    Returns:
      float32 [B, C] before the reduction.

    Example:
      >>> loss = SoftmaxCrossEntropy()
      >>> round(float(loss([[1.0, 0.0]], [[0.0, 0.0]])), 4)
      0.6931

    Reference:
      Cao et al., "Learning to Rank: From Pairwise Approach to Listwise
      Approach", ICML 2007.
    """

    by_request = True
    is_calibrated = False

    def __init__(self, name: str = "softmax", **kwargs) -> None:
        super().__init__(name=name, **kwargs)

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row; see the base class."""
        return ranking_losses.softmax_cross_entropy(
            labels, outputs, mask, weights
        )[:, None]
