"""The loss of an amount that is mostly zero, such as revenue."""

import numpy as np

from tfadrec.core.door import register, tf
from tfadrec.losses.task_loss import TaskLoss, log_odds
from tfadrec.ops import ranking_losses

#: Of prices that are all the same; their mean is 0.5 % too high at most.
_LEAST_DEVIATION = 0.1


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

    A row without a sale tells nothing of mu and sigma, and a sigma of 5 would
    make its mean 270,000 times as large. So a ranker begins at the chance of a
    positive training label and at mean and deviation of their logarithms, and
    keeps mu among these, and sigma at their deviation at most: what is left
    once something is known of a row spreads less, on average.

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
    is_bounded = True
    least = 0.0

    def __init__(self, name: str = "ziln", **kwargs) -> None:
        super().__init__(name=name, **kwargs)

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row; see the base class."""
        return ranking_losses.zero_inflated_log_normal(labels, outputs)

    def start(self, labels, weights):
        """See the base class."""
        logs, counts, share = _logarithms(labels, weights)
        mean = np.average(logs, weights=counts)
        return np.array([log_odds(share), mean, _largest_raw(logs, counts)])

    def bounds(self, labels, weights):
        """See the base class."""
        logs, counts, _ = _logarithms(labels, weights)
        return (
            np.array([-np.inf, np.min(logs), -np.inf]),
            np.array([np.inf, np.max(logs), _largest_raw(logs, counts)]),
        )

    def expected(self, outputs):
        """The mean of the label, [..., 3] to [...], in [0, 1e26]."""
        return ranking_losses.zero_inflated_log_normal_mean(
            tf.cast(outputs, tf.float32)
        )

    def score(self, outputs):
        """The mean of the label; see `expected`."""
        return self.expected(outputs)


def _logarithms(labels, weights):
    """Of positive labels, with their weights and their share of all."""
    sold = (labels >= np.finfo(np.float32).tiny) & (weights > 0)
    if not sold.any():  # then an amount of 1 that is never paid
        return np.zeros(1), np.ones(1), 0.0
    share = np.sum(weights[sold]) / np.sum(weights)
    return np.log(labels[sold]), weights[sold], share


def _largest_raw(logs, weights):
    """The output r that makes sigma the deviation of the logarithms."""
    mean = np.average(logs, weights=weights)
    deviation = np.sqrt(np.average(np.square(logs - mean), weights=weights))
    sigma = max(deviation, _LEAST_DEVIATION) - ranking_losses.LEAST_SIGMA
    return np.log(np.expm1(sigma))
