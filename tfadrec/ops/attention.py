"""Attention: who weighs whom, and by how much."""

import tensorflow as tf

from tfadrec.ops import masking, watched


def match_scores(
    user: tf.Tensor,
    ad: tf.Tensor,
    ad_mask: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """How well each user vector is met by an ad, and by which part of it.

    With user vectors u_1..u_T and the ad's vectors v_1..v_N:

        alpha_ij = softmax_j(u_i . v_j)
        w_i      = sum_j alpha_ij v_j
        c_i      = u_i . w_i

    Args:
      user: float [B, T, D].
      ad: float [B, C, N, D].
      ad_mask: bool [B, C, N], True = real; None = all real.

    Returns:
      c, float32 [B, C, T], and alpha, float32 [B, C, T, N].
    """
    if ad_mask is not None:
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        ad = tf.where(ad_mask[..., None], ad, 0)
    batch, slate, parts, _ = tf.unstack(tf.shape(ad))
    flat = tf.reshape(ad, [batch, slate * parts, ad.shape[-1]])
    products = tf.matmul(flat, user, transpose_b=True)  # v_j . u_i
    # The few parts are not the last axis: sums run along the events.
    shape = [batch, slate, parts, tf.shape(user)[1]]
    products = tf.cast(tf.reshape(products, shape), tf.float32)
    mask = None if ad_mask is None else ad_mask[..., None]
    alpha = masking.masked_softmax(products, mask, axis=2)
    # c_i = u_i . sum_j alpha_ij v_j = sum_j alpha_ij (u_i . v_j)
    scores = tf.reduce_sum(alpha * products, axis=2)
    return scores, tf.linalg.matrix_transpose(alpha)


def attend(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    mask: tf.Tensor,
    own: tuple[tf.Tensor, tf.Tensor] | None = None,
) -> tf.Tensor:
    """Scaled dot-product attention.

        a_t = softmax_t(q . k_t / sqrt(d));  out = sum_t a_t v_t

    (Vaswani et al., 2017, equation 1).

    Args:
      query: float [..., Q, d].
      key: float [..., T, d], finite in padding too.
      value: float [..., T, d], finite in padding too.
      mask: bool, broadcastable to [..., Q, T], True = real.
      own: a key and a value, each float [..., Q, d], that only their own query
        sees, beside the T.

    Returns:
      float [..., Q, d] of the query's dtype; zeros where nothing is real.
    """
    query *= query.shape[-1] ** -0.5
    logits = tf.matmul(query, key, transpose_b=True)
    if own is None:
        weights = masking.masked_softmax(logits, mask)
        watched.attending("attention", weights)
        return tf.matmul(tf.cast(weights, value.dtype), value)
    own_key, own_value = own
    own_logits = tf.reduce_sum(query * own_key, axis=-1, keepdims=True)
    logits = tf.concat([own_logits, logits], axis=-1)
    before = [[0, 0]] * (mask.shape.rank - 1) + [[1, 0]]
    mask = tf.pad(mask, before, constant_values=True)
    weights = tf.cast(masking.masked_softmax(logits, mask), value.dtype)
    return weights[..., :1] * own_value + tf.matmul(weights[..., 1:], value)


def split_heads(vectors: tf.Tensor, num_heads: int) -> tf.Tensor:
    """Shares out the width among heads: [B, N, D] to [B, H, N, D / H]."""
    width = vectors.shape[-1] // num_heads
    shape = tf.concat([tf.shape(vectors)[:2], [num_heads, width]], axis=0)
    return tf.transpose(tf.reshape(vectors, shape), [0, 2, 1, 3])


def join_heads(heads: tf.Tensor) -> tf.Tensor:
    """Puts heads side by side again: [B, H, N, d] to [B, N, H d]."""
    width = heads.shape[1] * heads.shape[3]
    heads = tf.transpose(heads, [0, 2, 1, 3])
    shape = tf.concat([tf.shape(heads)[:2], [width]], axis=0)
    return tf.reshape(heads, shape)
