"""Products of fields of rising degree: compressed interaction network."""

from collections.abc import Sequence

from tfadrec.core.door import register, tf
from tfadrec.core.ranges import Count
from tfadrec.layers.checked_layer import CheckedLayer


@register
class CIN(CheckedLayer):
    """Crosses field vectors, layer by layer: [..., N, D] to [..., U].

    The compressed interaction network of Lian et al. (2018), equations 6 and 7.
    From X^0, the N fields, layer k makes H_k feature maps of width D:

        X^k_h = sum_ij W^k_hij (X^{k-1}_i * X^0_j);   p^k_h = sum_d X^k_hd

    and the output is all p^k side by side, U = sum_k H_k. Map k holds products
    of k + 1 fields, entry by entry of their vectors. The paper's logit is one
    linear layer more (equation 8).

    Mask: none. Precision: the layer's compute dtype.

    Args:
      hidden_units: H_1, H_2, ..., each >= 1, at least one.

    Call args:
      inputs: float [..., N, D], N known.

    Returns:
      float [..., U].

    Raises:
      ValueError: where a width is below 1.

    Example:
      >>> CIN((6, 5))(tf.ones([2, 5, 4, 3])).shape
      TensorShape([2, 5, 11])

    Reference:
      Lian et al., "xDeepFM", KDD 2018, arXiv:1803.05170.
    """

    wants = "float [..., N, D]"
    takes = "fields"

    def __init__(
        self, hidden_units: Sequence[Count] = (32, 32), **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if not hidden_units or min(hidden_units) < 1:
            raise ValueError(
                "`hidden_units` must be widths >= 1, at least one. Received: "
                f"hidden_units={tuple(hidden_units)}."
            )
        self.hidden_units = tuple(hidden_units)

    def build(self, input_shape) -> None:
        count = input_shape[-2]
        maps = (count, *self.hidden_units)
        self._kernels = [
            self.add_weight(f"kernel_{k}", [maps[k] * count, units])
            for k, units in enumerate(self.hidden_units)
        ]
        super().build(input_shape)

    def call(self, inputs):
        # Width before fields, so that a layer is one matrix product.
        first = maps = tf.linalg.matrix_transpose(inputs)  # [..., D, N]
        pooled = []
        for kernel in self._kernels:
            products = maps[..., :, None] * first[..., None, :]
            # In two dimensions: a product of four with two crashes TensorFlow
            # 2.21 on the CPU at some shapes.
            flat = tf.reshape(products, [-1, kernel.shape[0]])
            shape = [*tf.unstack(tf.shape(products)[:-2]), kernel.shape[1]]
            maps = tf.reshape(tf.matmul(flat, kernel), shape)
            pooled.append(tf.reduce_sum(maps, axis=-2))
        return tf.concat(pooled, axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_units": list(self.hidden_units),
        }
