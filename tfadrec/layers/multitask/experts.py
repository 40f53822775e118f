"""Small networks side by side."""

from collections.abc import Sequence

from tfadrec.core.door import keras, register, tf


@register
class Experts(keras.layers.Layer):
    """M experts in each of G groups: rows [N, G, F] to [N, G, M, U].

    An expert is a feed-forward network with relu(W h + b) in every layer. The
    kernels of a layer are one tensor [G, M, F, U], so that all experts are one
    matrix product. (An einsum of `...` is not used: its gradient takes a
    hundred times as long.)

    Mask: none. Precision: the compute dtype.

    Args:
      num_groups: G.
      num_experts: M, in each group.
      hidden_units: widths of an expert's layers; the last one is U.

    Call args:
      inputs: float [N, G, F], or [N, 1, F] where all groups read the same.

    Returns:
      float [N, G, M, U].

    Example:
      >>> Experts(2, 3, (8,))(tf.ones([5, 1, 4])).shape
      TensorShape([5, 2, 3, 8])
    """

    def __init__(
        self,
        num_groups: int,
        num_experts: int,
        hidden_units: Sequence[int],
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.num_groups = num_groups
        self.num_experts = num_experts
        self.hidden_units = tuple(hidden_units)

    def build(self, input_shape) -> None:
        widths = (input_shape[-1], *self.hidden_units)
        stack = [self.num_groups, self.num_experts]
        self._kernels = [
            self.add_weight(
                f"kernel_{i}",
                [*stack, width, units],
                initializer=glorot(width, units),
            )
            for i, (width, units) in enumerate(
                zip(widths, self.hidden_units, strict=False)
            )
        ]
        self._biases = [
            self.add_weight(f"bias_{i}", [*stack, units], initializer="zeros")
            for i, units in enumerate(self.hidden_units)
        ]
        super().build(input_shape)

    def call(self, inputs):
        hidden, product = inputs, "ngf,gmfu->ngmu"
        if inputs.shape[1] == 1:
            hidden, product = tf.squeeze(inputs, 1), "nf,gmfu->ngmu"
        for kernel, bias in zip(self._kernels, self._biases, strict=True):
            hidden = tf.nn.relu(tf.einsum(product, hidden, kernel) + bias)
            product = "ngmf,gmfu->ngmu"
        return hidden

    def get_config(self):
        return {
            **super().get_config(),
            "num_groups": self.num_groups,
            "num_experts": self.num_experts,
            "hidden_units": list(self.hidden_units),
        }


def glorot(width: int, units: int) -> keras.initializers.Initializer:
    """Glorot's uniform initialiser for each of the kernels of a stack.

    Keras would take a stack for one large kernel, and its values would be too
    small.
    """
    limit = (6 / (width + units)) ** 0.5
    return keras.initializers.RandomUniform(-limit, limit)


def check_sizes(hidden_units: Sequence[int], **sizes: int) -> None:
    """Refuses sizes that no experts can have.

    Raises:
      ValueError: where one is below 1, or `hidden_units` is empty.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"`{name}` must be >= 1. Received: {name}={size}.")
    if not hidden_units or min(hidden_units) < 1:
        raise ValueError(
            "`hidden_units` must be widths >= 1, at least one. Received: "
            f"hidden_units={tuple(hidden_units)}."
        )
