"""Attention between user vectors and the parts of an ad."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.matching.checks import AD_MASK, VECTORS, check_pooling
from tfadrec.ops import attention, masking
from tfadrec.ops.masking import Pooling


@register
class AttentionMatching(CheckedLayer):
    """Scores ads against user vectors: [B, T, D], [B, C, N, D] to [B, C].

    Over user vectors u_1..u_T and ad vectors v_1..v_N (the vectors of its
    fields or tokens, or a single one):

        alpha_ij = softmax_j(u_i . v_j)
        w_i      = sum_j alpha_ij v_j
        c_i      = u_i . w_i

    and the c_i of the real i are pooled into one score. That is the default,
    to the letter, and has no weights. With a `projection` to P entries, u_i and
    v_j are replaced by W u_i and W' v_j in each head, as in Vaswani et al.
    (2017), and c and alpha are the means over heads.

    Mask: masked user vectors are not pooled, masked ad vectors have no weight;
    an ad that meets no real user vector scores 0. Precision: products in the
    compute dtype, softmax and sums in float32.

    Args:
      pooling: how the c_i become one score: `mean`, `sum` or `max`.
      scaled: whether products are divided by the square root of their vectors'
        width.
      projection: P >= 1, or None for the vectors as they are.
      num_heads: number of projections, >= 1; more than one needs `projection`.

    Call args:
      inputs: dict of `user`, float [B, T, D], `user_mask`, bool [B, T], `ad`,
        float [B, C, N, D], and optionally `ad_mask`, bool [B, C, N]; True =
        real.
      return_weights: whether to return alpha as well.

    Returns:
      float32 [B, C], and with `return_weights` also float32 [B, C, T, N].

    Raises:
      ValueError: where the pooling is unknown, a number is below 1, or there
        are heads without a projection.

    Example:
      >>> user, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> ad = tf.ones([2, 5, 1, 4])
      >>> inputs = {"user": user, "user_mask": mask, "ad": ad}
      >>> AttentionMatching()(inputs).shape
      TensorShape([2, 5])

    Reference:
      Vaswani et al., "Attention Is All You Need", NIPS 2017, arXiv:1706.03762.
    """

    wants = VECTORS
    may_have = AD_MASK

    def __init__(
        self,
        pooling: Pooling = "mean",
        *,
        scaled: bool = False,
        projection: Count | None = None,
        num_heads: Count = 1,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_pooling(pooling)
        if num_heads < 1 or (projection is not None and projection < 1):
            raise ValueError(
                "`num_heads` must be >= 1, and `projection` >= 1 or None. "
                f"Received: num_heads={num_heads}, projection={projection}."
            )
        if num_heads > 1 and projection is None:
            raise ValueError(
                "more heads than one need a `projection`, or they would be the "
                f"same. Received: num_heads={num_heads}, projection=None."
            )
        self.pooling = pooling
        self.scaled = scaled
        self.projection = projection
        self.num_heads = num_heads

    def build(self, input_shape) -> None:
        self._projections = {}
        if self.projection is not None:
            self._projections = {
                side: built(
                    keras.layers.Dense(
                        self.num_heads * self.projection,
                        use_bias=False,
                        name=side,
                        dtype=self.dtype_policy,
                    ),
                    [None, input_shape[side][-1]],
                )
                for side in ("user", "ad")
            }
        super().build(input_shape)

    def call(self, inputs, return_weights=False):
        mask = inputs["user_mask"]
        user = tf.where(mask[:, :, None], inputs["user"], 0)
        ad, ad_mask = inputs["ad"], inputs.get("ad_mask")
        if self._projections:
            if ad_mask is not None:
                ad = tf.where(ad_mask[..., None], ad, 0)
            user = self._projections["user"](user)
            ad = self._projections["ad"](ad)
        if self.scaled:
            user *= (user.shape[-1] / self.num_heads) ** -0.5
        heads = [
            attention.match_scores(*pair, ad_mask)
            for pair in zip(
                tf.split(user, self.num_heads, axis=-1),
                tf.split(ad, self.num_heads, axis=-1),
                strict=True,
            )
        ]
        scores, alpha = (
            tf.add_n(parts) / self.num_heads
            for parts in zip(*heads, strict=True)
        )  # [B, C, T], [B, C, T, N]
        pooled = masking.pool(scores, mask[:, None, :], self.pooling)
        return (pooled, alpha) if return_weights else pooled

    def get_config(self):
        return {
            **super().get_config(),
            "pooling": self.pooling,
            "scaled": self.scaled,
            "projection": self.projection,
            "num_heads": self.num_heads,
        }
