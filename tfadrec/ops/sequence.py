"""Where events stand in a history, how old they are, and which to look at."""

import tensorflow as tf

#: Every age below limit k, and not below the one before, has bucket k.
_AGE_LIMITS = [2**k - 1 for k in range(1, 32)]  # seconds
NUM_AGE_BUCKETS = len(_AGE_LIMITS) + 1
#: Of the T events that are read, the share that may be ads which were skipped
#: while others are left out (benchmarks/RESULTS.md, "Skipped ads").
MOST_SKIPPED = 0.5


def age_buckets(ages: tf.Tensor) -> tf.Tensor:
    """The power of two below 1 + age: floor(log2(1 + age)).

    Args:
      ages: int32 [...], seconds; negative ones count as 0.

    Returns:
      int32 [...] in [0, NUM_AGE_BUCKETS).
    """
    # In whole numbers: a logarithm is off by one at some powers of two.
    # One age more, as the op does not take none at all.
    flat = tf.pad(tf.reshape(ages, [-1]), [[0, 1]])
    buckets = tf.searchsorted(_AGE_LIMITS, flat, side="right")
    return tf.reshape(buckets[:-1], tf.shape(ages))


def events_ago(mask: tf.Tensor) -> tf.Tensor:
    """How many real events came after each one: 0 for the newest.

    Args:
      mask: bool [B, T], True = real, oldest first.

    Returns:
      int32 [B, T]; in padding it means nothing.
    """
    return tf.cumsum(
        tf.cast(mask, tf.int32), axis=1, exclusive=True, reverse=True
    )


def split_length(
    own: tf.Tensor, skipped: tf.Tensor, length: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """How many events of two kinds are read where there is room for T.

    Where few ads are clicked, nearly all of a history was skipped, and the
    newest T events tell little of what a user wants. So skipped ones have half
    of the room, and what the others leave free.

    Args:
      own: int [B] >= 0, what the user did.
      skipped: int [B] >= 0, of the same type.
      length: T >= 0.

    Returns:
      Two of the same type, which add up to at most T.
    """
    room = tf.maximum(length - own, int(length * MOST_SKIPPED))
    skipped = tf.minimum(skipped, room)
    return tf.minimum(own, length - skipped), skipped


def newest(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """What belongs to the newest real event.

    Args:
      values: [B, T, D], oldest first.
      mask: bool [B, T], True = real.

    Returns:
      [B, 1, D] of the same type; zeros where no event is real.
    """
    is_newest = mask & (events_ago(mask) == 0)
    return tf.reduce_sum(
        tf.where(is_newest[:, :, None], values, 0), axis=1, keepdims=True
    )


def top_events(
    scores: tf.Tensor, mask: tf.Tensor, k: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The k events of the highest scores, per candidate, in no order.

    Of events with the same score, the newer are taken.

    Args:
      scores: float32 [B, C, T] or broadcastable to it, oldest first, finite
        where real.
      mask: bool [B, C, T] or broadcastable to it, True = real.
      k: number of events, >= 1; all T where there are fewer.

    Returns:
      Their places in T, int32 [B, C, K], and which of them are real,
      bool [B, C, K], with K = min(k, T).
    """
    scores = tf.where(mask, scores, tf.float32.min)
    time = tf.shape(scores)[-1]
    # Newest first, as `top_k` takes the first of equals. It is also faster: the
    # CPU's has much to do where the best come last.
    values, events_ago = tf.math.top_k(
        tf.reverse(scores, [-1]), tf.minimum(k, time), sorted=False
    )
    return time - 1 - events_ago, values > tf.float32.min
