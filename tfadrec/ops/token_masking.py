"""Hiding tokens from a model that has to guess them."""

import tensorflow as tf


def mask_tokens(
    token_ids: tf.Tensor,
    maskable: tf.Tensor,
    seed: tf.Tensor,
    *,
    mask_id: int,
    vocabulary_size: int,
    share: float = 0.15,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Chooses tokens to guess, and hides most of them.

    Each token that may be hidden is chosen with probability `share`. Of those
    chosen, 80 % become the mask token, 10 % a random token, and 10 % stay
    (Devlin et al., 2019, section 3.1, "Task #1: Masked LM").

    Args:
      token_ids: int [...].
      maskable: bool [...], False for padding and special tokens.
      seed: int [2]; the same seed gives the same choice.
      mask_id: of the mask token.
      vocabulary_size: random tokens are drawn from [0, vocabulary_size).
      share: in (0, 1).

    Returns:
      The ids that the model reads, like `token_ids`, and bool [...], True where
      it has to guess.
    """
    shape = tf.shape(token_ids)
    seeds = tf.random.split(seed, 3)
    chosen = tf.random.stateless_uniform(shape, seeds[0]) < share
    chosen = tf.logical_and(chosen, maskable)
    fate = tf.random.stateless_uniform(shape, seeds[1])
    other = tf.random.stateless_uniform(
        shape, seeds[2], 0, vocabulary_size, token_ids.dtype
    )
    hidden = tf.where(fate < 0.8, tf.cast(mask_id, token_ids.dtype), other)
    read = tf.where(tf.logical_and(chosen, fate < 0.9), hidden, token_ids)
    return read, chosen
