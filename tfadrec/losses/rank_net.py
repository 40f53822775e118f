"""Pairs of a slate that stand in the wrong order."""

from tfadrec.core.door import register
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.ops import ranking_losses


@register
class RankNet(TaskLoss):
    """RankNet: the logistic loss of pairs of a slate, [B, C] to [B, C].

    A slate with the labels y and the scores s costs

        L = mean over the pairs (i, j) with y_i > y_j of
            log(1 + exp(s_j - s_i)),

    in which a pair counts by the product of its rows' weights.
    Every real row of the slate is given L; a slate whose labels are all equal
    costs 0. Only differences count, so `expected`, sigmoid(s), is a probability
    only where a loss such as `BinaryCrossEntropy` is added (`SumOfLosses`).
    `score` is s. It needs memory for the pairs of each slate, [B, C, C].

    Args:
      name: string, the name in logs.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels, [B, C], any real numbers; only their order counts.
      y_pred: float [B, C], the scores.

    Returns:
      float32 [B, C] before the reduction.

    Example:
      >>> round(float(RankNet()([[1.0, 0.0]], [[0.0, 0.0]])), 4)
      0.6931

    Reference:
      Burges et al., "Learning to Rank using Gradient Descent", ICML 2005.
      The paper adds the pairs; with their mean a slate of many pairs costs as
      much as one of few.
    """

    by_request = True
    is_calibrated = False

    def __init__(self, name: str = "ranknet", **kwargs) -> None:
        super().__init__(name=name, **kwargs)

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row; see the base class."""
        return ranking_losses.pairwise_logistic(labels, outputs, mask, weights)[
            :, None
        ]
