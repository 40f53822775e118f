"""Which of many rows a query is to be told from: high ones, not the highest."""

import tensorflow as tf

#: Rows that are drawn for a batch: the range of ranks has 55 of them.
DRAWN = 2048
#: Ranks, as shares of all: those above the first are often no negatives, as
#: Huang et al. (2020, section 6.1) found; of 3,700 ads they are 11 to 111.
_FIRST, _LAST = 0.003, 0.03
#: Of all ranks those that are taken from.
SHARE = _LAST - _FIRST


def places(scores: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Draws hard negatives for each query, of the ranks from .003 to .03.

    Args:
      scores: float32 [B, `DRAWN`], of rows that were drawn, -inf for one that
        is no negative; no gradient goes through.
      count: H >= 1, with replacement.
      seed: int [2]; the same seed gives the same choice.

    Returns:
      int32 [B, H] places among the rows.

    Reference:
      Huang et al., "Embedding-based Retrieval in Facebook Search", KDD 2020,
      arXiv:2006.11632.
    """
    first, last = round(_FIRST * DRAWN), round(_LAST * DRAWN)
    _, ranked = tf.math.top_k(tf.stop_gradient(scores), last)
    shape = [tf.shape(scores)[0], count]
    chosen = tf.random.stateless_uniform(shape, seed, first, last, tf.int32)
    return tf.gather(ranked, chosen, batch_dims=1)
