"""What stands where, and who reads whom, where a user and ads are one text."""

import tensorflow as tf


def newest(values: tf.Tensor, length: tf.Tensor, count: int) -> tf.Tensor:
    """The newest events of a history, the newest first.

    Args:
      values: int32 [B, T], oldest first.
      length: int32 [B], how many of them are real.
      count: E, how many are wanted.

    Returns:
      int32 [B, E], 0 where there are fewer.
    """
    places = length[:, tf.newaxis] - 1 - tf.range(count)
    real = places >= 0
    # One more, as there may be none to gather from.
    padded = tf.pad(values, [[0, 0], [0, 1]])
    found = tf.gather(padded, tf.maximum(places, 0), batch_dims=1)
    return tf.where(real, found, 0)


def reads(shared: int, count: tf.Tensor, own: int) -> tf.Tensor:
    """Which tokens each token reads: the user's, and those of its own ad.

    A token of the user reads the user alone, so that what becomes of it is the
    same for all candidates, and candidates do not know of each other.

    Args:
      shared: S, the tokens of the user.
      count: C, the candidates.
      own: of each candidate.

    Returns:
      bool [1, L, L] with L = S + C own: does this one (second axis) read that
      one (last axis)?
    """
    of_ads = tf.repeat(tf.range(count), own)
    owner = tf.concat([tf.fill([shared], -1), of_ads], 0)
    is_own = owner[:, tf.newaxis] == owner
    return (is_own | (owner == -1))[tf.newaxis]
