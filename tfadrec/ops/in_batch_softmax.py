"""The softmax over what is positive in a batch, freed of how often that is."""

import tensorflow as tf


def in_batch_softmax(
    scores: tf.Tensor,
    items: tf.Tensor,
    expected: tf.Tensor,
    is_positive: tf.Tensor,
) -> tf.Tensor:
    """The loss of every row, whose own item is to be told from the others.

        L_i = -log( exp(s_ii - log e_ii) / sum_j exp(s_ij - log e_ij) )

    over j = i, the positive rows j of another item, and the items behind those
    of the rows, such as negatives of each row, where they are not the row's
    own. An item is met as often as e says (Yi et al., 2019, section 3.2), and
    where it comes again it is no negative of itself.

    Args:
      scores: float32 [B, C], C >= B, of each row for the item of each row and
        for C - B more.
      items: int [C], or [B, C] where they are not the same for all rows.
      expected: float32 as the items, e, > 0: how often each is met on average.
        A constant factor of all changes nothing.
      is_positive: bool [B], whether a row's item is met by the others.

    Returns:
      float32 [B].
    """
    logits = scores - tf.math.log(expected)
    batch, count = tf.unstack(tf.shape(scores))
    is_met = tf.pad(is_positive, [[0, count - batch]], constant_values=True)
    items = tf.broadcast_to(items, [batch, count])
    is_other = tf.linalg.diag_part(items)[:, None] != items
    is_own = tf.eye(batch, count, dtype=tf.bool)
    logits = tf.where(
        (is_other & is_met) | is_own, logits, logits.dtype.min / 2
    )
    own = tf.linalg.diag_part(logits)
    return tf.reduce_logsumexp(logits, axis=1) - own
