"""What the Keras metrics of whole requests share."""

from tfadrec.core.door import keras, tf
from tfadrec.ops import slate_metrics


class RequestMetric(keras.metrics.Mean):
    """The mean of a number per request, over the requests that have one.

    A request counts where it has a click and a row without one. A subclass
    gives `of_requests`.

    A score that is not finite makes the result nan until `reset_state`. Without
    a request that counts the result is nan too.

    Precision: float32.
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds the requests of a batch.

        Args:
          y_true: [B, C], 0 or 1.
          y_pred: [B, C], logits or other scores.
          sample_weight: whatever can be broadcast to [B, C], or [B]; where it
            is 0 there is padding, and other sizes play no part. None = all
            real.

        Raises:
          ValueError: where the labels are no slates.
        """
        clicks = tf.cast(y_true, tf.float32)
        scores = tf.cast(y_pred, tf.float32)
        if clicks.shape.rank != 2 or scores.shape.rank != 2:
            raise ValueError(
                f"{type(self).__name__} takes whole slates, [B, C]. Received: "
                f"labels of shape {clicks.shape}, scores of shape "
                f"{scores.shape}. Train by request, or use AUC."
            )
        mask = _real(sample_weight, clicks)
        counts = slate_metrics.has_both(clicks, mask)
        finite = tf.reduce_all(tf.math.is_finite(scores) | ~mask, -1)
        values = tf.where(
            finite,
            self.of_requests(
                clicks, tf.where(finite[:, None], scores, 0.0), mask
            ),
            float("nan"),
        )
        super().update_state(
            tf.where(counts | ~finite, values, 0.0),
            tf.cast(counts | ~finite, tf.float32),
        )

    def result(self):
        """The mean of all batches since the last reset."""
        return self.total / self.count

    def of_requests(self, clicks, scores, mask):
        """The number of each request; see `ops.slate_metrics`."""
        raise NotImplementedError


def _real(sample_weight, labels):
    """Where there is no padding, bool as the labels."""
    if sample_weight is None:
        return tf.ones_like(labels, tf.bool)
    weights = tf.cast(sample_weight, tf.float32)
    if weights.shape.rank == 1:
        weights = weights[:, None]
    return tf.broadcast_to(weights != 0, tf.shape(labels))
