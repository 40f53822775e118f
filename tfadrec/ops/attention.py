"""Attention between a user's vectors and an ad's vectors."""

import tensorflow as tf

from tfadrec.ops import masking


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
    products = tf.einsum("btd,bcnd->bctn", user, ad)  # u_i . v_j
    mask = None if ad_mask is None else ad_mask[:, :, None, :]
    alpha = masking.masked_softmax(products, mask)
    # c_i = u_i . sum_j alpha_ij v_j = sum_j alpha_ij (u_i . v_j)
    scores = tf.reduce_sum(alpha * tf.cast(products, tf.float32), axis=-1)
    return scores, alpha
