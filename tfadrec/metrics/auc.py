"""The area under the ROC curve as a streaming Keras metric."""

from tfadrec.core.door import keras, register, tf

_RANGE = 16.0
_ROWS, _COLUMNS = 512, 512
_BINS = _ROWS * _COLUMNS


@register
class AUC(keras.metrics.Metric):
    """Streaming AUC of logits, near exact at any click rate.

    Clicks and non-clicks are counted in 2**18 equal bins of the logit over
    [-16, 16], logits outside counting in the end bins. With P_b, N_b the bins'
    counts, AUC = sum_b P_b (sum_{a<b} N_a + N_b / 2) / (P N): exact but for
    pairs that share a bin of 0.00012, which count half, as ties do.

    The error against the exact AUC is below 1e-4 with 1,000 clicks or more
    and logits whose standard deviation is 0.01 or more, at any centre within
    the range; below that the bins are too wide (docs/evaluation.md has
    the figures).

    Precision: float32 counts, so a bin is exact up to 2**24 rows. A logit that
    is not finite makes the result nan until `reset_state`; so does having only
    one class, as the AUC is then undefined.

    Args:
      name: string, the name in logs.
      dtype: as for any Keras metric; the counts are float32 whatever it is.

    Call args:
      y_true: [B], [B, 1] or, of slates, [B, C], 0 or 1.
      y_pred: logits, as many.
      sample_weight: None, a scalar, [B], [B, 1] or [B, C], >= 0. What stands
        where it is 0, as in padding, is not read.

    Returns:
      A float32 scalar in [0, 1], or nan.

    Example:
      model.compile(optimizer="adagrad", metrics=[AUC()])
    """

    def __init__(self, name: str = "auc", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.counts = self.add_weight(
            "counts", [_BINS, 2], initializer="zeros", dtype=tf.float32
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch."""
        weights = _weight_of_each(sample_weight, y_pred)
        counts = weights != 0
        clicks = tf.reshape(tf.cast(y_true, tf.float32), [-1])
        clicks = tf.where(counts, clicks, 0.0)
        logits = tf.reshape(tf.cast(y_pred, tf.float32), [-1])
        finite = tf.math.is_finite(logits)
        weights = tf.where(finite | ~counts, weights, float("nan"))
        position = tf.where(finite, logits + _RANGE, 0.0)
        bins = position * (_BINS / (2.0 * _RANGE))
        self.counts.assign_add(
            tf.math.unsorted_segment_sum(
                weights[:, None] * tf.stack([1.0 - clicks, clicks], axis=-1),
                tf.cast(tf.clip_by_value(bins, 0.0, _BINS - 1.0), tf.int32),
                _BINS,
            )
        )

    def result(self):
        """The AUC of all batches since the last reset."""
        negatives, positives = tf.unstack(
            tf.reshape(self.counts, [_ROWS, _COLUMNS, 2]), axis=-1
        )
        # Summed row by row: one long float32 sum would lose digits.
        row_sums = tf.reduce_sum(negatives, axis=1)
        below = (
            tf.cumsum(row_sums, exclusive=True)[:, None]
            + tf.cumsum(negatives, axis=1, exclusive=True)
            + negatives / 2.0
        )
        share = positives / tf.reduce_sum(positives)
        return tf.reduce_sum(share * (below / tf.reduce_sum(row_sums)))

    def reset_state(self):
        """Forgets all batches."""
        self.counts.assign(tf.zeros_like(self.counts))


def _weight_of_each(sample_weight, values):
    """Float32 [n], of the values from the first to the last."""
    values = tf.convert_to_tensor(values)
    if sample_weight is None:
        return tf.ones([tf.size(values)])
    weights = tf.cast(sample_weight, tf.float32)
    if weights.shape.rank == 1 and values.shape.rank == 2:
        weights = weights[:, None]
    elif weights.shape.rank == 2 and values.shape.rank == 1:
        weights = tf.reshape(weights, [-1])
    return tf.reshape(tf.broadcast_to(weights, tf.shape(values)), [-1])
