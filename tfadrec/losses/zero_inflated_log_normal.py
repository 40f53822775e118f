"""The loss of an amount that is mostly zero, such as revenue."""

from tfadrec.core.door import register, tf
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.ops import ranking_losses


@register
class ZeroInflatedLogNormal(TaskLoss):
    """ZILN: an amount that is 0 or log-normal; outputs [..., 3] to [...].

    The outputs of a row are z, mu and r. The label is positive with the chance
    p = sigmoid(z), and its logarithm then is normal with the mean mu and the
    standard deviation sigma = softplus(r) + 0.001. The loss is the negative log
    likelihood: a label of 0 costs -log(1 - p), and y > 0 costs

        -log p + log(y sigma sqrt(2 pi)) + (log y - mu)^2 / (2 sigma^2),

    which may be below 0. `expected` and `score` are p exp(mu + sigma^2 / 2).
    The paper's sigma is softplus(r); ours keeps away from 0, so that the loss
    is finite, and `expected` ends at 1e26.

    Args:
      name: string, the name in logs.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels, [B] or [B, C], >= 0; what is below counts as 0.
      y_pred: float, [B, 3] or [B, C, 3].

    Returns:
      float32 as the labels, before the reduction.

    Example:
      >>> loss = ZeroInflatedLogNormal()
      >>> round(float(loss([0.0], [[0.0, 0.0, 0.0]])), 4)
      0.6931

    Reference:
      Wang, Liu and Miao, "A Deep Probabilistic Model for Customer Lifetime
      Value Prediction", 2019, arXiv:1912.07753.
    """

    num_outputs = 3
    is_binary = False

    def __init__(self, name: str = "ziln", **kwargs) -> None:
        super().__init__(name=name, **kwargs)

    def costs(self, labels, outputs, mask):
        """The loss of each row; see the base class."""
        return ranking_losses.zero_inflated_log_normal(labels, outputs)

    def expected(self, outputs):
        """The mean of the label, [..., 3] to [...], in [0, 1e26]."""
        return ranking_losses.zero_inflated_log_normal_mean(
            tf.cast(outputs, tf.float32)
        )

    def score(self, outputs):
        """The mean of the label; see `expected`."""
        return self.expected(outputs)
