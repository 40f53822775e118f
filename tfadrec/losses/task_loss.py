"""What every loss of a task is to a ranker."""

import math

import numpy as np

from tfadrec.core.door import keras, tf

_LEAST_RATE = 1e-6


class TaskLoss(keras.losses.Loss):
    """The loss of one label, with what it makes of the outputs of a head.

    A subclass gives `costs`. One whose outputs are not logits of a label of 0
    and 1 gives `expected` and `score` as well.

    A row of the weight w counts as w rows among those that it is compared with
    in its slate, such as an ad of an aggregated log, which was shown w times.
    Only the ratios of a slate's weights count there. That the loss of a row is
    multiplied by its weight is left to whoever takes the mean.

    What stands in padding, NaN too, has no part in the loss and no gradient.

    Precision: float32, whatever comes in.

    Attributes:
      num_outputs: how many numbers per row the head gives.
      raised_output: the one of several outputs that the score grows with.
      by_request: whether the loss compares the rows of a slate, and so takes
        slates [B, C] alone.
      is_binary: whether the label is 0 or 1 and `expected` a probability.
      is_calibrated: whether the loss fixes the level of the outputs. Where it
        only orders the rows of a slate, `expected` means nothing until a
        calibrated loss is added.
      counts_rows: whether weights count where the rows of a slate are compared.
      is_bounded: whether labels tell what outputs are kept between, by
        `bounds`.
      least: what labels below it count as.
    """

    num_outputs = 1
    raised_output = 0
    by_request = False
    is_binary = True
    is_calibrated = True
    counts_rows = True
    is_bounded = False
    least = -math.inf

    def call(self, y_true, y_pred):
        """The loss of each row, where every row is real; see `per_row`."""
        return self.per_row(y_true, y_pred)

    def per_row(self, labels, outputs, mask=None, weights=None):
        """The loss of each row.

        A loss of whole slates gives every real row the loss of its slate, so
        the mean over real rows weighs a slate by its size.

        Args:
          labels: [B] or [B, C].
          outputs: as the labels, with an axis [num_outputs] after them where
            there are several.
          mask: bool, as the labels, True = real; None = all real.
          weights: of rows, >= 0, as the labels; None = 1 for all. The losses
            are not multiplied by them.

        Returns:
          float32, as the labels, 0 in padding.

        Raises:
          ValueError: where the shapes do not fit each other.
        """
        labels = tf.cast(labels, tf.float32)
        outputs = tf.cast(outputs, tf.float32)
        self._check_shapes(labels.shape, outputs.shape)
        if mask is None:
            mask = tf.ones_like(labels, tf.bool)
        mask = tf.convert_to_tensor(mask, tf.bool)
        real = mask if self.num_outputs == 1 else mask[..., tf.newaxis]
        if weights is not None:
            weights = tf.where(mask, tf.cast(weights, tf.float32), 0.0)
        costs = self.costs(
            tf.where(mask, labels, 0.0),
            tf.where(real, outputs, 0.0),
            mask,
            weights,
        )
        return tf.where(mask, costs, 0.0)

    def costs(self, labels, outputs, mask, weights):
        """The loss of each row, given float32 with zeros in padding.

        Args:
          labels: as for `per_row`.
          outputs: as for `per_row`.
          mask: as for `per_row`, never None.
          weights: as for `per_row`.

        Returns:
          float32 that can be broadcast to the labels, finite in padding.
        """
        raise NotImplementedError

    def expected(self, outputs):
        """The mean of the label that the outputs predict, float32.

        Args:
          outputs: as for `per_row`.

        Returns:
          float32, shaped as the labels.
        """
        outputs = tf.cast(outputs, tf.float32)
        return tf.sigmoid(outputs) if self.is_binary else outputs

    def score(self, outputs):
        """What rows are ranked by, float32; grows with `expected`.

        Args:
          outputs: as for `per_row`.

        Returns:
          float32, shaped as the labels.
        """
        return tf.cast(outputs, tf.float32)

    def start(
        self, labels: np.ndarray, weights: np.ndarray
    ) -> np.ndarray | None:
        """The outputs that are best where all rows have the same.

        Args:
          labels: float64 [n], of training rows.
          weights: float64 [n], >= 0 and not 0 for all.

        Returns:
          float64 [num_outputs]; None where outputs may begin anywhere.
        """
        if self.num_outputs > 1 or not self.is_calibrated:
            return None
        level = np.average(labels, weights=weights)
        return np.array([log_odds(level) if self.is_binary else level])

    def bounds(
        self, labels: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What outputs are kept between, where the loss `is_bounded`.

        Args:
          labels: as for `start`.
          weights: as for `start`.

        Returns:
          The least and the largest outputs, float64 [num_outputs] each.
        """
        raise NotImplementedError

    def raised(self, outputs, by):
        """Outputs whose score is higher: that of an ad and a user is added.

        Args:
          outputs: as for `per_row`.
          by: float32, shaped as the labels, or what goes together with that.

        Returns:
          float32, as the outputs.
        """
        outputs = tf.cast(outputs, tf.float32)
        if self.num_outputs == 1:
            return outputs + by
        raised = tf.one_hot(self.raised_output, self.num_outputs)
        return outputs + by[..., tf.newaxis] * raised

    def _check_shapes(self, labels, outputs):
        if self.by_request and labels.rank not in (None, 2):
            raise ValueError(
                f"{type(self).__name__} takes labels of whole slates, [B, C]. "
                f"Received: labels of shape {labels}. Train by request, or "
                "choose a loss of single rows, such as 'binary'."
            )
        expected = labels
        if self.num_outputs > 1:
            expected = labels.concatenate([self.num_outputs])
        if not expected.is_compatible_with(outputs):
            raise ValueError(
                f"{type(self).__name__} takes {self.num_outputs} output(s) "
                f"for each label. Received: outputs of shape {outputs} for "
                f"labels of shape {labels}. Give outputs of shape {expected}."
            )


def log_odds(rate: float) -> float:
    """log(p / (1 - p)) of a rate, finite where it is 0 or 1."""
    rate = np.clip(rate, _LEAST_RATE, 1 - _LEAST_RATE)
    return np.log(rate) - np.log1p(-rate)
