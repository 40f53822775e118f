"""Pairs of a slate, weighted by what they do to NDCG."""

from tfadrec.core.door import register
from tfadrec.core.errors import InputError
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.ops import ranking_losses


@register
class LambdaLoss(TaskLoss):
    """LambdaRank's loss for NDCG@k, [B, C] to [B, C].

    A slate with the labels y and the scores s costs

        L = sum over the pairs (i, j) with y_i > y_j of
            |dNDCG_ij| log(1 + exp(s_j - s_i)),
        |dNDCG_ij| = |y_i - y_j| |D(r_i) - D(r_j)| / best DCG@k,

    with the rank r by falling score, D(r) = 1 / log2(1 + r) up to rank k and 0
    beyond: the weight is what NDCG@k changes by where i and j are exchanged. In
    the paper's framework this is the LambdaRank weighting, not NDCG-Loss2 or
    NDCG-Loss2++. The weights are constants to the gradient. It departs from
    the paper in the gain, y in place of 2^y - 1: the same for labels of 0 and
    1, and finite for amounts. The logarithm of the loss is natural.

    Every real row of the slate is given L; a slate whose labels are all equal
    costs 0. Only differences count, so `expected`, sigmoid(s), is a probability
    only where a loss such as `BinaryCrossEntropy` is added (`SumOfLosses`).
    `score` is s. It needs memory for the pairs of each slate, [B, C, C].

    Args:
      k: how many ranks count, >= 1, or None for all. With a small k, pairs that
        both stand below it teach nothing.
      name: string, the name in logs.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels, [B, C], >= 0.
      y_pred: float [B, C], the scores.

    Returns:
      float32 [B, C] before the reduction.

    Raises:
      InputError: where k is neither None nor an integer >= 1.

    Example:
      >>> # Exchanging the two takes NDCG from 1 to 1 / log2(3) = .631.
      >>> round(float(LambdaLoss()([[1.0, 0.0]], [[0.0, 0.0]])), 4)
      0.2558

    Reference:
      Wang et al., "The LambdaLoss Framework for Ranking Metric Optimization",
      CIKM 2018.
    """

    by_request = True
    is_calibrated = False

    counts_rows = False

    def __init__(
        self, k: int | None = None, name: str = "lambda", **kwargs
    ) -> None:
        super().__init__(name=name, **kwargs)
        if k is not None and (
            isinstance(k, bool) or not isinstance(k, int) or k < 1
        ):
            raise InputError(
                f"`k` must be an integer >= 1 or None. Received: {k!r}. Pass "
                "the number of ranks that count, or None for all."
            )
        self.k = k

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row; see the base class."""
        return ranking_losses.ndcg_weighted_logistic(
            labels, outputs, mask, self.k
        )[:, None]

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "k": self.k}
