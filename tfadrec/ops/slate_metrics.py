"""How well each slate of a batch is ordered.

All functions take `clicks` and `scores`, float32 [B, C], and `mask`, bool
[B, C] with True = real, and give float32 [B]. The scores of real places are
finite; what stands elsewhere is not read. A slate without a click, or with
clicks only, has no order to measure: what it is given means nothing.

Rows with equal scores have no order. A result is its expected value over all
orders of such rows, as in `metrics.ranking`.
"""

import tensorflow as tf


def has_both(clicks: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Whether a slate has a click and a row without one, bool [B]."""
    clicked = mask & (clicks > 0)
    return tf.reduce_any(clicked, -1) & tf.reduce_any(mask & ~clicked, -1)


def auc(clicks: tf.Tensor, scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The chance that a click scores above another row, ties counting half."""
    clicked = tf.where(mask, clicks, 0.0)
    others = tf.where(mask, 1.0 - clicks, 0.0)
    scores = _lowest_in_padding(scores, mask)
    order = tf.argsort(scores, axis=-1)
    below, upto = _bounds(tf.gather(scores, order, batch_dims=1), scores)
    # How many others stand before each place of the rising order.
    before = tf.pad(
        tf.cumsum(tf.gather(others, order, batch_dims=1), axis=-1),
        [[0, 0], [1, 0]],
    )
    beaten = tf.gather(before, below, batch_dims=1)
    beaten = (beaten + tf.gather(before, upto, batch_dims=1)) / 2.0
    pairs = tf.reduce_sum(clicked, -1) * tf.reduce_sum(others, -1)
    return tf.math.divide_no_nan(tf.reduce_sum(clicked * beaten, -1), pairs)


def ndcg(
    clicks: tf.Tensor, scores: tf.Tensor, mask: tf.Tensor, k: int
) -> tf.Tensor:
    """DCG@k over that of the best order; gains are 1, discounts log2(1 + rank).

    A click that ties earns the mean discount of its tie's ranks.
    """
    clicked = tf.where(mask, clicks, 0.0)
    scores = _lowest_in_padding(scores, mask)
    below, upto = _bounds(tf.sort(scores, axis=-1), scores)
    size = tf.shape(scores)[1]
    ranks = tf.range(1, size + 1)
    discounts = tf.where(
        ranks <= k, 1.0 / _log2(1.0 + tf.cast(ranks, tf.float64)), 0.0
    )
    # Differences of sums, so in float64.
    sums = tf.pad(tf.cumsum(discounts), [[1, 0]])
    gained = tf.gather(sums, size - below) - tf.gather(sums, size - upto)
    earned = tf.cast(gained, tf.float32) / tf.cast(upto - below, tf.float32)
    best = tf.gather(sums, tf.cast(tf.reduce_sum(clicked, -1), tf.int32))
    return tf.math.divide_no_nan(
        tf.reduce_sum(clicked * earned, -1), tf.cast(best, tf.float32)
    )


def reciprocal_rank(
    clicks: tf.Tensor, scores: tf.Tensor, mask: tf.Tensor
) -> tf.Tensor:
    """1 / rank of the first click.

    Where m clicks stand among the n rows of the first click's tie, with s rows
    above it, the tie's row j = 0, 1, ... is the first click with the
    probability m / (n - j) prod_{t<j} (n - t - m) / (n - t), and its reciprocal
    rank then is 1 / (s + j + 1).
    """
    clicked = mask & (clicks > 0)
    scores = _lowest_in_padding(scores, mask)
    first = tf.reduce_max(
        tf.where(clicked, scores, scores.dtype.min), -1, keepdims=True
    )
    above = _count(mask & (scores > first))
    tied = _count(mask & (scores == first))
    among = _count(clicked & (scores == first))
    places = tf.cast(tf.range(tf.shape(scores)[1]), tf.float32)
    left = tf.maximum(tied - places, 1.0)
    missed = tf.maximum(tied - places - among, 0.0) / left
    chance = tf.math.cumprod(missed, axis=-1, exclusive=True) * among / left
    return tf.reduce_sum(chance / (above + places + 1.0), -1)


def _lowest_in_padding(scores, mask):
    return tf.where(mask, scores, float("-inf"))


def _bounds(ascending, scores):
    """How many entries of a slate are below each score, and at most as high."""
    return (
        tf.searchsorted(ascending, scores, side="left"),
        tf.searchsorted(ascending, scores, side="right"),
    )


def _count(places):
    return tf.reduce_sum(tf.cast(places, tf.float32), -1, keepdims=True)


def _log2(values):
    return tf.math.log(values) / tf.math.log(tf.constant(2.0, values.dtype))
