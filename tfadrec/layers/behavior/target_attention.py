"""Behaviour as what a candidate attends to."""

from tfadrec.core.door import register
from tfadrec.core.ranges import Count
from tfadrec.layers.behavior.checks import EVENTS_AND_TARGET, check_sizes
from tfadrec.layers.behavior.multi_head_attention import MultiHeadAttention
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking


@register
class TargetAttention(CheckedLayer):
    """Each candidate attends to the events, to [B, C, D].

    Multi-head attention (Vaswani et al., 2017, section 3.2.2) with the
    candidate as the query and the events k_1..k_T as keys and values:

        head_h = sum_t softmax_t(q W_h^Q . k_t W_h^K / sqrt(d)) k_t W_h^V
        out    = [head_1, ..., head_H] W^O

    with heads of width d = D / num_heads. Keys and values are computed once per
    event. Other than DIN's, the weights add up to one: the output tells what a
    user did that is like the candidate, and not how much of it.

    Mask: padding has no weight; an empty history gives zeros. Precision: the
    compute dtype, softmax in float32.

    Args:
      num_heads: a divisor of D, >= 1.

    Call args:
      inputs: dict of `events`, float [B, T, D], `mask`, bool [B, T], True =
        real, and `target`, float [B, C, D].

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where `num_heads` is below 1 or does not divide D.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> target = tf.ones([2, 5, 4])
      >>> inputs = {"events": events, "mask": mask, "target": target}
      >>> TargetAttention()(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Vaswani et al., "Attention is all you need", NeurIPS 2017,
      arXiv:1706.03762; as the exact second stage over found events in SIM (Pi
      et al., CIKM 2020) and ETA (Chen et al., 2021).
    """

    wants = EVENTS_AND_TARGET

    def __init__(self, num_heads: Count = 2, **kwargs) -> None:
        super().__init__(**kwargs)
        check_sizes(num_heads=num_heads)
        self.num_heads = num_heads

    def build(self, input_shape) -> None:
        self._attention = built(
            MultiHeadAttention(
                self.num_heads, name="attention", dtype=self.dtype_policy
            ),
            {"query": input_shape["target"]},
        )
        super().build(input_shape)

    def call(self, inputs):
        mask = inputs["mask"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(inputs["events"], mask)
        return self._attention(
            {
                "query": inputs["target"],
                "context": events,
                "mask": mask[:, None, :],
            }
        )

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}
