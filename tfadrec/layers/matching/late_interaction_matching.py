"""Matching token by token: ColBERT's late interaction."""

from tfadrec.core.door import register, tf
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.matching.checks import AD_MASK, VECTORS, check_pooling
from tfadrec.ops import masking
from tfadrec.ops.masking import Pooling


@register
class LateInteractionMatching(CheckedLayer):
    """Scores ads by their best tokens: [B, T, D], [B, C, N, D] to [B, C].

    Khattab and Zaharia (2020), equation 3, with user vectors u_1..u_T for the
    query's tokens and the ad's token vectors v_1..v_N for the document's:

        c_i = max_j u_i . v_j

    and the c_i of the real i are pooled into one score, by default summed.

    Mask: masked user vectors are not pooled, masked ad vectors are not looked
    at; an ad that meets no real user vector, or has no real vector, scores 0.
    Precision: products in the compute dtype, sums in float32.

    Args:
      pooling: how the c_i become one score: `mean`, `sum` or `max`.

    Call args:
      inputs: dict of `user`, float [B, T, D], `user_mask`, bool [B, T], `ad`,
        float [B, C, N, D], and optionally `ad_mask`, bool [B, C, N]; True =
        real.
      return_weights: whether to return which ad vector is the best, 1 for it
        and 0 for the others; zeros where none is real.

    Returns:
      float32 [B, C], and with `return_weights` also float32 [B, C, T, N].

    Raises:
      ValueError: where the pooling is unknown.

    Example:
      >>> user, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> ad = tf.ones([2, 5, 1, 4])
      >>> inputs = {"user": user, "user_mask": mask, "ad": ad}
      >>> LateInteractionMatching()(inputs).shape
      TensorShape([2, 5])

    Reference:
      Khattab and Zaharia, "ColBERT", SIGIR 2020, arXiv:2004.12832.
    """

    wants = VECTORS
    may_have = AD_MASK

    def __init__(self, pooling: Pooling = "sum", **kwargs) -> None:
        super().__init__(**kwargs)
        check_pooling(pooling)
        self.pooling = pooling

    def call(self, inputs, return_weights=False):
        mask = inputs["user_mask"]
        user = tf.where(mask[:, :, None], inputs["user"], 0)
        ad, ad_mask = inputs["ad"], inputs.get("ad_mask")
        if ad_mask is None:
            ad_mask = tf.ones(tf.shape(ad)[:-1], tf.bool)
        ad = tf.where(ad_mask[..., None], ad, 0)
        products = tf.einsum("btd,bcnd->bctn", user, ad)
        products = tf.cast(products, tf.float32)
        real = ad_mask[:, :, None, :]
        best = masking.pool(products, real, "max")  # [B, C, T]
        pooled = masking.pool(best, mask[:, None, :], self.pooling)
        if not return_weights:
            return pooled
        products = tf.where(real, products, products.dtype.min)
        weights = tf.one_hot(tf.argmax(products, axis=-1), tf.shape(ad)[2])
        return pooled, tf.where(real, weights, 0.0)

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling}
