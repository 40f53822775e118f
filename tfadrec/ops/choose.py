"""Some of many, one after another: worth much, and unlike those before."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

#: Group of each, int32 [B, C], and how many of one may be chosen, int32 [B].
Cap = tuple[tf.Tensor, tf.Tensor]


def choose(
    worth: tf.Tensor,
    count: tf.Tensor,
    *,
    units: tf.Tensor | None = None,
    diversity: tf.Tensor | None = None,
    caps: Sequence[Cap] = (),
) -> tuple[tf.Tensor, tf.Tensor]:
    """Chooses greedily by maximal marginal relevance, within caps.

    Of those that are left, S being chosen already, the next one is

        argmax_i (1 - d) worth_i / max_j worth_j - d max_(s in S) cos(i, s)

    among those whose groups are not full (Carbonell and Goldstein, 1998, with
    d for their 1 - lambda, and worth as a share of the largest). The first one
    is that of most worth, whatever d is.

    Args:
      worth: float32 [B, C], >= 0; what is -inf is never chosen.
      count: int32 scalar K, how many are wanted.
      units: float [B, C, W], vectors of length one, or zeros where there is
        none, which are like nothing.
      diversity: float32 [B], d in [0, 1]; where there are `units`.
      caps: groups of those to choose from, and how many of a group may be
        chosen. Group 0 and a cap below 1 are without bounds.

    Returns:
      Places int32 [B, K], in the order of choice, and bool [B, K], False where
      nothing was left; the place is 0 then.

    Reference:
      Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for
      Reordering Documents and Producing Summaries", SIGIR 1998.
    """
    # One place more, so that there is always something to look at.
    behind = [[0, 0], [0, 1]]
    worth = tf.pad(worth, behind, constant_values=-np.inf)
    caps = [(tf.pad(group, behind), cap) for group, cap in caps]
    if units is not None:
        units = tf.pad(units, [*behind, [0, 0]])
    is_left = worth > -np.inf
    highest = tf.reduce_max(worth, axis=1, keepdims=True)
    value = tf.where(is_left, tf.math.divide_no_nan(worth, highest), 0.0)
    share = tf.zeros_like(value[:, :1])
    if diversity is not None:
        share = tf.where(diversity > 0, tf.minimum(diversity, 1.0), 0.0)[
            :, None
        ]

    def step(number, is_left, nearest, taken, places, found):
        is_free = is_left
        for (group, cap), count in zip(caps, taken, strict=True):
            is_open = (count < cap[:, None]) | (cap[:, None] < 1) | (group == 0)
            is_free &= is_open
        gain = (1 - share) * value - share * nearest
        # Nothing was chosen that the first one could be like.
        gain = tf.where(number > 0, gain, value)
        place = tf.argmax(
            tf.where(is_free, gain, -np.inf), axis=1, output_type=tf.int32
        )
        is_there = tf.gather(is_free, place, batch_dims=1)
        is_own = (tf.range(tf.shape(worth)[1]) == place[:, None]) & is_there[
            :, None
        ]
        if units is not None:
            own = tf.gather(units, place, batch_dims=1)
            nearest = tf.maximum(nearest, tf.linalg.matvec(units, own))
        taken = [
            count
            + tf.cast(
                (group == tf.gather(group, place, batch_dims=1)[:, None])
                & is_there[:, None],
                tf.int32,
            )
            for (group, _), count in zip(caps, taken, strict=True)
        ]
        return (
            number + 1,
            is_left & ~is_own,
            nearest,
            taken,
            places.write(number, tf.where(is_there, place, 0)),
            found.write(number, is_there),
        )

    batch = tf.shape(worth)[:1]
    of_each = {"size": count, "element_shape": [None]}
    *_, places, found = tf.while_loop(
        lambda number, *_: number < count,
        step,
        (
            tf.constant(0),
            is_left,
            # As unlike as can be.
            tf.fill(tf.shape(worth), -1.0),
            [tf.zeros_like(group) for group, _ in caps],
            tf.TensorArray(tf.int32, **of_each),
            tf.TensorArray(tf.bool, **of_each),
        ),
        parallel_iterations=1,
    )
    shape = tf.concat([batch, [count]], 0)
    return tuple(
        tf.reshape(tf.transpose(values.stack()), shape)
        for values in (places, found)
    )
