"""Attention between user vectors and the parts of an ad."""

from tfadrec.core.door import keras, register, tf
from tfadrec.ops import attention, masking

_POOLINGS = ("mean", "sum", "max")


@register
class AttentionMatching(keras.layers.Layer):
    """Scores ads against user vectors: [B, T, D], [B, C, N, D] to [B, C].

    Over user vectors u_1..u_T and ad vectors v_1..v_N (the vectors of its
    fields or tokens, or a single one):

        alpha_ij = softmax_j(u_i . v_j)
        w_i      = sum_j alpha_ij v_j
        c_i      = u_i . w_i

    and the c_i of the real i are pooled into one score.

    Mask: masked user vectors are not pooled, masked ad vectors have no weight;
    an ad that meets no real user vector scores 0. Precision: products in the
    compute dtype, softmax and sums in float32.

    Args:
      pooling: how the c_i become one score: `mean`, `sum` or `max`.

    Call args:
      inputs: dict of `user`, float [B, T, D], `user_mask`, bool [B, T], `ad`,
        float [B, C, N, D], and optionally `ad_mask`, bool [B, C, N]; True =
        real.
      return_weights: whether to return alpha as well.

    Returns:
      float32 [B, C], and with `return_weights` also float32 [B, C, T, N].

    Raises:
      ValueError: where the pooling is unknown.

    Example:
      >>> user, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> ad = tf.ones([2, 5, 1, 4])
      >>> inputs = {"user": user, "user_mask": mask, "ad": ad}
      >>> AttentionMatching()(inputs).shape
      TensorShape([2, 5])
    """

    def __init__(self, pooling: str = "mean", **kwargs) -> None:
        super().__init__(**kwargs)
        if pooling not in _POOLINGS:
            raise ValueError(
                f"`pooling` must be one of {', '.join(_POOLINGS)}. Received: "
                f"pooling={pooling!r}."
            )
        self.pooling = pooling

    def call(self, inputs, return_weights=False):
        mask = inputs["user_mask"]
        user = tf.where(mask[:, :, None], inputs["user"], 0)
        scores, alpha = attention.match_scores(
            user, inputs["ad"], inputs.get("ad_mask")
        )  # [B, C, T]
        pooled = self._pool(scores, mask[:, None, :])
        return (pooled, alpha) if return_weights else pooled

    def _pool(self, scores, mask):
        if self.pooling == "mean":
            return masking.masked_mean(scores, mask, axis=-1)
        if self.pooling == "sum":
            return tf.reduce_sum(tf.where(mask, scores, 0.0), axis=-1)
        highest = tf.reduce_max(
            tf.where(mask, scores, scores.dtype.min), axis=-1
        )
        return tf.where(tf.reduce_any(mask, axis=-1), highest, 0.0)

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling}
