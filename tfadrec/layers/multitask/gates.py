"""How much each expert counts."""

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.multitask.experts import glorot


@register
class Gates(keras.layers.Layer):
    """G gates over M experts each: rows [N, G, F] to [N, G, M].

    A gate is g = softmax(W x), without a bias.

    Mask: none. Precision: softmax in float32.

    Args:
      num_gates: G.
      num_experts: M.

    Call args:
      inputs: float [N, G, F], or [N, 1, F] where all gates read the same.

    Returns:
      float [N, G, M] of the compute dtype, the sum over M is 1.

    Example:
      >>> Gates(2, 3)(tf.ones([5, 1, 4])).shape
      TensorShape([5, 2, 3])
    """

    def __init__(self, num_gates: int, num_experts: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.num_gates = num_gates
        self.num_experts = num_experts

    def build(self, input_shape) -> None:
        width = input_shape[-1]
        self._kernel = self.add_weight(
            "kernel",
            [self.num_gates, width, self.num_experts],
            initializer=glorot(width, self.num_experts),
        )
        super().build(input_shape)

    def call(self, inputs):
        product = "ngf,gfm->ngm"
        if inputs.shape[1] == 1:
            inputs, product = tf.squeeze(inputs, 1), "nf,gfm->ngm"
        logits = tf.einsum(product, inputs, self._kernel)
        weights = tf.nn.softmax(tf.cast(logits, tf.float32))
        return tf.cast(weights, self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_gates": self.num_gates,
            "num_experts": self.num_experts,
        }
