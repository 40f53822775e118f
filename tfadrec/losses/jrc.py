"""Ranking within a slate and calibration, with two logits per row."""

from tfadrec.core.door import register, tf
from tfadrec.core.errors import InputError
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.ops import ranking_losses


@register
class JRC(TaskLoss):
    """JRC: ranking and calibration together, [B, C, 2] to [B, C].

    A row has two logits, f_0 for the label 0 and f_1 for the label 1. With the
    label y, row i of a slate costs

        alpha     (-log(exp(f_y,i) / (exp(f_0,i) + exp(f_1,i))))
      + (1 - alpha) (-log(exp(f_y,i) / sum_j exp(f_y,j))),

    j over the rows of its slate. The first part makes f_1 - f_0 the logit of a
    probability; the second compares the rows.
    A label in between is a mixture of both. `expected` is sigmoid(f_1 - f_0),
    `score` is f_1 - f_0. Unlike other losses of slates, each row keeps its own
    loss, so that a weight of a row weighs that row.

    Args:
      alpha: share of the first part, in [0, 1].
      name: string, the name in logs.
      **kwargs: as for any Keras loss.

    Call args:
      y_true: the labels, [B, C], in [0, 1].
      y_pred: float [B, C, 2], f_0 and f_1.

    Returns:
      float32 [B, C] before the reduction.

    Raises:
      InputError: where alpha is not in [0, 1].

    Example:
      >>> logits = [[[0.0, 0.0], [0.0, 0.0]]]
      >>> round(float(JRC()([[1.0, 0.0]], logits)), 4)
      0.6931

    Reference:
      Sheng et al., "Joint Optimization of Ranking and Calibration with
      Contextualized Hybrid Model", KDD 2023, arXiv:2208.06164.
    """

    num_outputs = 2
    raised_output = 1
    by_request = True

    def __init__(self, alpha: float = 0.5, name: str = "jrc", **kwargs) -> None:
        super().__init__(name=name, **kwargs)
        if (
            isinstance(alpha, bool)
            or not isinstance(alpha, int | float)
            or not 0 <= alpha <= 1
        ):
            raise InputError(
                f"`alpha` must be a number in [0, 1]. Received: {alpha!r}. "
                "Pass the share of the calibrating part."
            )
        self.alpha = alpha

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row; see the base class."""
        return ranking_losses.joint_ranking_and_calibration(
            labels, outputs, mask, self.alpha, weights
        )

    def expected(self, outputs):
        """The probability of the label 1, [..., 2] to [...]."""
        return tf.sigmoid(self.score(outputs))

    def score(self, outputs):
        """The logit of the label 1, [..., 2] to [...]."""
        outputs = tf.cast(outputs, tf.float32)
        return outputs[..., 1] - outputs[..., 0]

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "alpha": self.alpha}
