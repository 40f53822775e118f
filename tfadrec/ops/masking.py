"""Softmax, means and pooling over the real entries of a padded axis."""

from typing import Literal, get_args

import tensorflow as tf

#: What `pool` can make of many scores.
Pooling = Literal["mean", "sum", "max"]
POOLINGS = get_args(Pooling)


def masked_softmax(
    logits: tf.Tensor, mask: tf.Tensor | None, axis: int = -1
) -> tf.Tensor:
    """Softmax over the real entries of one axis.

    Args:
      logits: float [..., n, ...] of any precision.
      mask: bool, broadcastable to the logits, True = real; None = all real.
      axis: the axis that the weights sum to one over.

    Returns:
      float32 weights, exactly 0 where masked, and all 0 where nothing is real.
    """
    logits = tf.cast(logits, tf.float32)
    if mask is None:
        return _softmax(logits, axis)
    # A finite stand-in for -inf: no NaN where a whole row is masked.
    lowest = tf.constant(tf.float32.min / 2)
    logits = tf.where(mask, logits, lowest)
    return tf.where(mask, _softmax(logits, axis), 0.0)


def _softmax(logits, axis):
    if axis in (-1, logits.shape.rank - 1):
        return tf.nn.softmax(logits)
    # TensorFlow's would turn the axis to the end and back.
    highest = tf.reduce_max(logits, axis, keepdims=True)
    shares = tf.exp(logits - tf.stop_gradient(highest))
    return shares / tf.reduce_sum(shares, axis, keepdims=True)


def zero_padding(vectors: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Zeros in place of what stands in padding, also of NaN.

    Row by row: on the CPU several times as fast as `tf.where` with a mask that
    has to be spread over the columns.

    Args:
      vectors: [B, T, D], D known.
      mask: bool [B, T], True = real.

    Returns:
      [B, T, D].
    """
    rows = tf.reshape(vectors, [-1, vectors.shape[-1]])
    rows = tf.compat.v1.where(tf.reshape(mask, [-1]), rows, tf.zeros_like(rows))
    return tf.reshape(rows, tf.shape(vectors))


def masked_mean(
    values: tf.Tensor, mask: tf.Tensor | None, axis: int
) -> tf.Tensor:
    """Mean over the real entries of one axis, in float32.

    Args:
      values: float [..., n, ...].
      mask: bool, broadcastable to the values, True = real; None = all real.
      axis: the axis to average.

    Returns:
      float32, 0 where nothing is real.
    """
    values = tf.cast(values, tf.float32)
    if mask is None:
        return tf.reduce_mean(values, axis=axis)
    total = tf.reduce_sum(tf.where(mask, values, 0.0), axis=axis)
    count = tf.reduce_sum(tf.cast(mask, tf.float32), axis=axis)
    return total / tf.maximum(count, 1.0)


def pool(scores: tf.Tensor, mask: tf.Tensor, pooling: str) -> tf.Tensor:
    """One score of many, over the real entries of the last axis.

    Args:
      scores: float32 [..., n].
      mask: bool, broadcastable to the scores, True = real.
      pooling: one of `POOLINGS`.

    Returns:
      float32 [...], 0 where nothing is real.
    """
    if pooling == "mean":
        return masked_mean(scores, mask, axis=-1)
    if pooling == "sum":
        return tf.reduce_sum(tf.where(mask, scores, 0.0), axis=-1)
    highest = tf.reduce_max(tf.where(mask, scores, scores.dtype.min), axis=-1)
    return tf.where(tf.reduce_any(mask, axis=-1), highest, 0.0)
