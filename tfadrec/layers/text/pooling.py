"""From the vectors of an ad's tokens to one vector of the ad."""

from typing import Literal, get_args

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.ops import masking

Pooling = Literal["mean", "cls", "last_token", "attention"]
POOLINGS = get_args(Pooling)


def check_pooling(pooling: str) -> None:
    """Refuses what is not one of `POOLINGS`.

    Raises:
      InputError: for another word.
    """
    if pooling not in POOLINGS:
        raise InputError(
            f"`pooling` must be one of {', '.join(POOLINGS)}. Received: "
            f"{pooling!r}. Choose one of them."
        )


def pool(
    vectors: tf.Tensor,
    mask: tf.Tensor,
    pooling: str,
    query: tf.Tensor | None = None,
) -> tf.Tensor:
    """One vector per row of tokens; padding has no part in it.

    Precision: the mean is taken in float32.

    Args:
      vectors: float [N, L, D].
      mask: bool [N, L], True = real.
      pooling: `mean` of the real tokens, `cls`, the first real token, or
        `last_token`, the last real one, or `attention`, the sum of
        softmax(h . q) h over the real tokens.
      query: q, float [D], for `attention`.

    Returns:
      [N, D] of the dtype of `vectors`; zeros where no token is real.
    """
    # Padding is cut out and not only weighted by 0: 0 x inf would be NaN.
    real = tf.where(mask[..., tf.newaxis], tf.cast(vectors, tf.float32), 0.0)
    positions = tf.range(tf.shape(mask)[1])[tf.newaxis]
    if pooling == "mean":
        weights = tf.cast(mask, tf.float32)
        weights /= tf.maximum(tf.reduce_sum(weights, -1, keepdims=True), 1.0)
    elif pooling == "cls":
        after = tf.shape(mask)[1]
        first = tf.reduce_min(
            tf.where(mask, positions, after), -1, keepdims=True
        )
        weights = mask & (positions == first)
    elif pooling == "attention":
        logits = tf.linalg.matvec(real, tf.cast(query, tf.float32))
        weights = masking.masked_softmax(logits, mask)
    else:
        last = tf.reduce_max(tf.where(mask, positions, -1), -1, keepdims=True)
        weights = mask & (positions == last)
    pooled = tf.einsum("nl,nld->nd", tf.cast(weights, tf.float32), real)
    return tf.cast(pooled, vectors.dtype)
