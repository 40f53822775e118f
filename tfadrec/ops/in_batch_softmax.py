"""The softmax over what is positive in a batch, freed of how often that is."""

import tensorflow as tf


def in_batch_softmax(
    scores: tf.Tensor,
    items: tf.Tensor,
    shares: tf.Tensor,
    is_positive: tf.Tensor,
) -> tf.Tensor:
    """The loss of every row, whose own item is to be told from the others.

        L_i = -log( exp(s_ii - log q_i) / sum_j exp(s_ij - log q_j) )

    over j = i and the positive rows j of another item: an item is met in a
    batch as often as its share q says (Yi et al., 2019, section 3.2), and where
    it comes again it is no negative of itself.

    Args:
      scores: float32 [B, B], of each row for the item of each row.
      items: int [B].
      shares: float32 [B], q of the items, > 0.
      is_positive: bool [B], whether a row's item is met by the others.

    Returns:
      float32 [B].
    """
    logits = scores - tf.math.log(shares)
    is_other = items[:, None] != items
    has_part = (is_other & is_positive) | tf.eye(tf.size(items), dtype=tf.bool)
    logits = tf.where(has_part, logits, logits.dtype.min / 2)
    return tf.reduce_logsumexp(logits, axis=1) - tf.linalg.diag_part(logits)
