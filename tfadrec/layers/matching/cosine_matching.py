"""Matching by direction alone."""

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Positive
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.matching.checks import AD_MASK, VECTORS, check_pooling
from tfadrec.ops import attention, masking
from tfadrec.ops.masking import Pooling


@register
class CosineMatching(CheckedLayer):
    """Scores ads by cosine: [B, T, D], [B, C, N, D] to [B, C].

    As `AttentionMatching`, with u_i . v_j replaced by a cosine over a
    temperature, so that long vectors of popular ads do not win by length:

        s_ij = cos(u_i, v_j) / temperature;  alpha_ij = softmax_j(s_ij)
        c_i  = sum_j alpha_ij s_ij

    and the c_i of the real i are pooled into one score. The cosine with a
    vector of zeros is 0: vectors shorter than 0.001 count as of that length.

    Mask: masked user vectors are not pooled, masked ad vectors have no weight;
    an ad that meets no real user vector scores 0. Precision: lengths, softmax
    and sums in float32, products in the compute dtype.

    Args:
      pooling: how the c_i become one score: `mean`, `sum` or `max`.
      temperature: > 0.

    Call args:
      inputs: dict of `user`, float [B, T, D], `user_mask`, bool [B, T], `ad`,
        float [B, C, N, D], and optionally `ad_mask`, bool [B, C, N]; True =
        real.
      return_weights: whether to return alpha as well.

    Returns:
      float32 [B, C], and with `return_weights` also float32 [B, C, T, N].

    Raises:
      ValueError: where the pooling is unknown, or the temperature is not > 0.

    Example:
      >>> user, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> ad = tf.ones([2, 5, 1, 4])
      >>> inputs = {"user": user, "user_mask": mask, "ad": ad}
      >>> CosineMatching(temperature=1.0)(inputs)[0, 0].numpy().item()
      1.0

    Reference:
      Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
      Recommendations", RecSys 2019, section 3.
    """

    wants = VECTORS
    may_have = AD_MASK

    def __init__(
        self, pooling: Pooling = "mean", temperature: Positive = 0.1, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        check_pooling(pooling)
        if temperature <= 0:
            raise ValueError(
                "`temperature` must be > 0. Received: "
                f"temperature={temperature}."
            )
        self.pooling = pooling
        self.temperature = temperature

    def call(self, inputs, return_weights=False):
        mask = inputs["user_mask"]
        user = tf.where(mask[:, :, None], inputs["user"], 0)
        ad, ad_mask = inputs["ad"], inputs.get("ad_mask")
        if ad_mask is not None:
            ad = tf.where(ad_mask[..., None], ad, 0)
        scores, alpha = attention.match_scores(
            self._direction(user) / self.temperature,
            self._direction(ad),
            ad_mask,
        )
        pooled = masking.pool(scores, mask[:, None, :], self.pooling)
        return (pooled, alpha) if return_weights else pooled

    def _direction(self, vectors):
        direction = tf.math.l2_normalize(
            tf.cast(vectors, tf.float32), axis=-1, epsilon=1e-6
        )
        return tf.cast(direction, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "pooling": self.pooling,
            "temperature": self.temperature,
        }
