"""The best of many rows, of which some are looked at at a time."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

#: Scores [B, K], best first, and their rows [B, K].
Best = tuple[tf.Tensor, tf.Tensor]


def none_yet(batch: tf.Tensor, k: tf.Tensor) -> Best:
    """What is best of no rows: scores of -inf, float32 [B, K], and row 0."""
    shape = tf.stack([batch, k])
    return tf.fill(shape, -np.inf), tf.zeros(shape, tf.int32)


def merge(best: Best, scores: tf.Tensor, rows: tf.Tensor) -> Best:
    """The best of those known and of some more.

    Args:
      best: float32 and int32 [B, K].
      scores: float32 [B, n]; what is -inf never gets in before what is there.
      rows: int32 [B, n].

    Returns:
      float32 and int32 [B, K], best first.
    """
    k = tf.shape(best[0])[1]
    scores = tf.concat([best[0], scores], axis=1)
    found, places = tf.math.top_k(scores, k)
    rows = tf.concat([best[1], rows], axis=1)
    return found, tf.gather(rows, places, batch_dims=1)


def in_blocks(
    best: Best,
    total: tf.Tensor,
    block: int,
    look: Callable[[tf.Tensor, tf.Tensor], Best],
) -> Best:
    """The best of those known and of `total` more, `block` at a time.

    Args:
      best: float32 and int32 [B, K].
      total: int32 scalar.
      block: how many are scored at a time, which bounds the memory.
      look: places from and until, int32 scalars, to their scores and rows,
        float32 and int32 [B, n].

    Returns:
      float32 and int32 [B, K], best first.
    """

    def step(start, scores, rows):
        end = tf.minimum(start + block, total)
        return end, *merge((scores, rows), *look(start, end))

    free = tf.TensorShape([None, None])
    _, scores, rows = tf.while_loop(
        lambda start, *_: start < total,
        step,
        (tf.constant(0), *best),
        shape_invariants=(tf.TensorShape([]), free, free),
        parallel_iterations=1,
    )
    return scores, rows


def drop(best: Best, unwanted: tf.Tensor, k: tf.Tensor) -> Best:
    """The first `k` without some rows, of which there have to be enough.

    Args:
      best: float32 and int32 [B, K], best first.
      unwanted: int32 [B, E]; row 0 is left out besides.
      k: int32 scalar; K is at least k + E, so that k are left.

    Returns:
      float32 and int32 [B, k], best first; -inf and row 0 where none is left.
    """
    scores, rows = best
    # One more, so that there is always something to look in.
    unwanted = tf.sort(tf.pad(unwanted, [[0, 0], [0, 1]]), axis=1)
    places = tf.searchsorted(unwanted, rows)
    places = tf.minimum(places, tf.shape(unwanted)[1] - 1)
    is_unwanted = tf.gather(unwanted, places, batch_dims=1) == rows
    scores = tf.where(is_unwanted, -np.inf, scores)
    found, places = tf.math.top_k(scores, k)
    rows = tf.gather(rows, places, batch_dims=1)
    return found, tf.where(found > -np.inf, rows, 0)
