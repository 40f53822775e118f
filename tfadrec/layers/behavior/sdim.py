"""Behaviour as what fell into the candidate's hash buckets: SDIM."""

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count
from tfadrec.layers.behavior.checks import EVENTS_AND_TARGET, check_sizes
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import hashing, masking


@register
class SDIM(CheckedLayer):
    """Sums the events that share a candidate's hash buckets, to [B, C, D].

    Sampling-based deep interest of Cao et al. (2022) for long histories. Each
    vector has a SimHash of num_hashes bits, the signs of its products with
    random hyperplanes; every hash_width bits of it are one signature, G of them
    in all, and name one of 2^hash_width buckets:

        S_g(b) = sum of the events k_t whose signature g is b
        out    = 1/G sum_g S_g(b_g(q)) / |S_g(b_g(q))|

    for a candidate q. An event at an angle of a shares a bucket with
    probability (1 - a / pi)^hash_width, so the sum is an attention sampled
    without computing it. The sums of the buckets are computed once per user;
    a candidate only reads its G buckets, at a cost that does not depend on T.
    The layer learns nothing itself: the vectors do.

    Mask: padding is in no bucket; an empty bucket, as an empty history, gives
    zeros. Precision: hashes and norms in float32, sums in the compute dtype. A
    product near 0 may change its sign with the precision.

    Args:
      num_hashes: bits of a hash, >= 1, a multiple of `hash_width`.
      hash_width: bits of a signature, >= 1. The wider, the sharper the
        attention, and the more buckets.
      seed: of the hyperplanes.

    Call args:
      inputs: dict of `events`, float [B, T, D], `mask`, bool [B, T], True =
        real, and `target`, float [B, C, D].

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where a size is below 1, or `hash_width` does not divide
        `num_hashes`.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> target = tf.ones([2, 5, 4])
      >>> inputs = {"events": events, "mask": mask, "target": target}
      >>> SDIM()(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Cao et al., "Sampling Is All You Need on Modeling Long-Term User Behaviors
      for CTR Prediction", CIKM 2022, arXiv:2205.10249.
    """

    wants = EVENTS_AND_TARGET

    def __init__(
        self,
        num_hashes: Count = 48,
        hash_width: Count = 3,
        *,
        seed: int = 0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(num_hashes=num_hashes, hash_width=hash_width)
        if num_hashes % hash_width:
            raise ValueError(
                "`hash_width` must divide `num_hashes`. Received: "
                f"num_hashes={num_hashes}, hash_width={hash_width}."
            )
        self.num_hashes = num_hashes
        self.hash_width = hash_width
        self.seed = seed

    def build(self, input_shape) -> None:
        width = input_shape["target"][-1]
        planes = hashing.random_planes(width, self.num_hashes, self.seed)
        self._planes = self.add_weight(
            "planes",
            planes.shape,
            dtype=tf.float32,
            initializer=lambda shape, dtype: tf.constant(planes, dtype),
            trainable=False,
            experimental_autocast=False,
        )
        super().build(input_shape)

    def call(self, inputs):
        mask = inputs["mask"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(inputs["events"], mask)
        # Sums as one product, as padded events are zeros: N = G 2^hash_width.
        sums = tf.einsum("btn,btd->bnd", self._buckets(events), events)
        sums = tf.math.l2_normalize(tf.cast(sums, tf.float32), axis=-1)
        means = sums * (self.hash_width / self.num_hashes)
        own = self._buckets(inputs["target"])
        return tf.matmul(own, tf.cast(means, own.dtype))

    def _buckets(self, vectors):
        """The buckets of each vector: [B, N, D] to 0 and 1, [B, N, G 2^w]."""
        bits = hashing.signs(vectors, self._planes)
        groups = self.num_hashes // self.hash_width
        shape = tf.concat([tf.shape(vectors)[:2], [groups, self.hash_width]], 0)
        powers = 2 ** tf.range(self.hash_width)
        codes = tf.reduce_sum(
            tf.cast(tf.reshape(bits, shape), tf.int32) * powers, axis=-1
        )
        buckets = tf.one_hot(codes, 2**self.hash_width, dtype=vectors.dtype)
        shape = tf.concat(
            [tf.shape(vectors)[:2], [groups * 2**self.hash_width]], 0
        )
        return tf.reshape(buckets, shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_hashes": self.num_hashes,
            "hash_width": self.hash_width,
            "seed": self.seed,
        }
