"""Matching through a learned form."""

from tfadrec.core.door import register, tf
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.matching.checks import AD_MASK, VECTORS, check_pooling
from tfadrec.ops import attention, masking
from tfadrec.ops.masking import Pooling


@register
class BilinearMatching(CheckedLayer):
    """Scores ads by a learned form: [B, T, D], [B, C, N, D] to [B, C].

    As `AttentionMatching`, with u_i . v_j replaced by a bilinear form whose
    matrix is learned and is the identity at first (the "general" score of Luong
    et al., 2015):

        s_ij = u_i^T W v_j;  alpha_ij = softmax_j(s_ij)
        c_i  = sum_j alpha_ij s_ij

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
      >>> BilinearMatching()(inputs).shape
      TensorShape([2, 5])

    Reference:
      Luong et al., "Effective Approaches to Attention-based Neural Machine
      Translation", EMNLP 2015, arXiv:1508.04025.
    """

    wants = VECTORS
    may_have = AD_MASK

    def __init__(self, pooling: Pooling = "mean", **kwargs) -> None:
        super().__init__(**kwargs)
        check_pooling(pooling)
        self.pooling = pooling

    def build(self, input_shape) -> None:
        width = input_shape["user"][-1]
        self._kernel = self.add_weight(
            "kernel", [width, width], initializer="identity"
        )
        super().build(input_shape)

    def call(self, inputs, return_weights=False):
        mask = inputs["user_mask"]
        user = tf.where(mask[:, :, None], inputs["user"], 0)
        user = tf.einsum("btd,de->bte", user, self._kernel)
        scores, alpha = attention.match_scores(
            user, inputs["ad"], inputs.get("ad_mask")
        )
        pooled = masking.pool(scores, mask[:, None, :], self.pooling)
        return (pooled, alpha) if return_weights else pooled

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling}
