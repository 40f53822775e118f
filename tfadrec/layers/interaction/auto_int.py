"""Fields that attend to each other: AutoInt."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, Parts
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking


@register
class AutoInt(CheckedLayer):
    """Self-attention between fields: [..., N, D] to [..., N D].

    The interacting layer of Song et al. (2019), equations 5 to 8. In each head,
    d = D / num_heads wide:

        alpha_mk = softmax_k((W_q e_m) . (W_k e_k))
        a_m = sum_k alpha_mk W_v e_k
        e'_m = relu([a_m of all heads] + W_res e_m)

    and the fields of the last layer lie side by side in the output. As in the
    paper, products are not scaled by the width.

    Mask: none. Precision: the layer's compute dtype; softmax in float32.

    Args:
      num_layers: number of interacting layers, >= 1.
      num_heads: a divisor of D.

    Call args:
      inputs: float [..., N, D], N known.

    Returns:
      float [..., N D].

    Raises:
      ValueError: where an argument is below 1, or `num_heads` does not divide
        D.

    Example:
      >>> AutoInt(num_heads=3)(tf.ones([2, 5, 4, 3])).shape
      TensorShape([2, 5, 12])

    Reference:
      Song et al., "AutoInt: Automatic Feature Interaction Learning via
      Self-Attentive Neural Networks", CIKM 2019, arXiv:1810.11921.
    """

    wants = "float [..., N, D]"
    takes = "fields"

    def __init__(
        self, num_layers: Parts = 2, *, num_heads: Count = 2, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if num_layers < 1 or num_heads < 1:
            raise ValueError(
                "`num_layers` and `num_heads` must be >= 1. Received: "
                f"num_layers={num_layers}, num_heads={num_heads}."
            )
        self.num_layers = num_layers
        self.num_heads = num_heads

    def build(self, input_shape) -> None:
        width = input_shape[-1]
        if width % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the width of the fields. Received: "
                f"num_heads={self.num_heads}, width={width}."
            )
        self._projections = {
            (key := f"{name}_{i}"): built(
                keras.layers.Dense(
                    width, use_bias=False, name=key, dtype=self.dtype_policy
                ),
                [None, width],
            )
            for i in range(self.num_layers)
            for name in ("query", "key", "value", "residual")
        }
        super().build(input_shape)

    def call(self, inputs):
        count, width = inputs.shape[-2:]
        leading = tf.unstack(tf.shape(inputs)[:-2])
        heads = [-1, count, self.num_heads, width // self.num_heads]
        fields = tf.reshape(inputs, [-1, count, width])
        for i in range(self.num_layers):
            query, key, value = (
                tf.reshape(self._projections[f"{name}_{i}"](fields), heads)
                for name in ("query", "key", "value")
            )
            logits = tf.einsum("bmhd,bkhd->bhmk", query, key)
            weights = masking.masked_softmax(logits, None)
            weights = tf.cast(weights, value.dtype)
            attended = tf.einsum("bhmk,bkhd->bmhd", weights, value)
            attended = tf.reshape(attended, [-1, count, width])
            residual = self._projections[f"residual_{i}"](fields)
            fields = tf.nn.relu(attended + residual)
        return tf.reshape(fields, [*leading, count * width])

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
        }
