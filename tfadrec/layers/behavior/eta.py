"""Behaviour as what hashes like the candidate, then attention: ETA."""

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count
from tfadrec.layers.behavior.checks import EVENTS_AND_TARGET, check_sizes
from tfadrec.layers.behavior.multi_head_attention import MultiHeadAttention
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import hashing, masking, sequence


@register
class ETA(CheckedLayer):
    """Finds events by their hash, then attends to them, to [B, C, D].

    End-to-end target attention of Chen et al. (2021) for long histories. Each
    vector has a SimHash of m bits, the signs of its products with m random
    hyperplanes r_i; the events of the smallest Hamming distance to the
    candidate q are chosen, the newer of two at the same distance, and attended
    to as in `TargetAttention`:

        h(x)_i = sign(x . r_i);  distance_t = sum_i [h(q)_i != h(k_t)_i]
        out    = TargetAttention(q, the top_k events of the least distance)

    Of two vectors at an angle of a, a bit differs with probability a / pi. The
    hash is of the vectors themselves and learns with them; the search has no
    weights of its own. With signs as +1 and -1, all the distances are one
    matrix product: h(q) . h(k_t) = m - 2 distance_t.

    Mask: padding is never chosen; an empty history gives zeros. Precision:
    hashes and search in float32, the attention in the compute dtype with its
    softmax in float32. A product near 0 may change its sign with the precision.

    Args:
      num_hashes: bits of a hash, m, >= 1.
      top_k: events that a candidate attends to, >= 1; all where there are
        fewer.
      num_heads: a divisor of D, >= 1.
      seed: of the hyperplanes.

    Call args:
      inputs: dict of `events`, float [B, T, D], oldest first, `mask`,
        bool [B, T], True = real, and `target`, float [B, C, D].

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where a size is below 1, or `num_heads` does not divide D.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> target = tf.ones([2, 5, 4])
      >>> inputs = {"events": events, "mask": mask, "target": target}
      >>> ETA(top_k=2)(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Chen et al., "End-to-End User Behavior Retrieval in Click-Through Rate
      Prediction Model", arXiv:2108.04468. The paper also keeps the newest
      events in a branch of their own, which another encoder may be.
    """

    wants = EVENTS_AND_TARGET

    def __init__(
        self,
        num_hashes: Count = 32,
        top_k: Count = 50,
        num_heads: Count = 2,
        *,
        seed: int = 0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(num_hashes=num_hashes, top_k=top_k, num_heads=num_heads)
        self.num_hashes = num_hashes
        self.top_k = top_k
        self.num_heads = num_heads
        self.seed = seed

    def build(self, input_shape) -> None:
        width = input_shape["target"][-1]
        self._planes = self.add_weight(
            "planes",
            [width, self.num_hashes],
            dtype=tf.float32,
            initializer=lambda shape, dtype: tf.constant(
                hashing.random_planes(width, self.num_hashes, self.seed), dtype
            ),
            trainable=False,
            experimental_autocast=False,
        )
        self._attention = built(
            MultiHeadAttention(
                self.num_heads, name="attention", dtype=self.dtype_policy
            ),
            {"query": input_shape["target"]},
        )
        super().build(input_shape)

    def call(self, inputs):
        mask, target = inputs["mask"], inputs["target"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(inputs["events"], mask)
        alike = tf.matmul(self._hash(target), self._hash(events), False, True)
        chosen, is_real = sequence.top_events(
            alike, mask[:, None, :], self.top_k
        )
        return self._attention(
            {
                "query": target,
                "context": events,
                "chosen": chosen,
                "mask": is_real,
            }
        )

    def _hash(self, vectors):
        return tf.where(hashing.signs(vectors, self._planes), 1.0, -1.0)

    def get_config(self):
        return {
            **super().get_config(),
            "num_hashes": self.num_hashes,
            "top_k": self.top_k,
            "num_heads": self.num_heads,
            "seed": self.seed,
        }
