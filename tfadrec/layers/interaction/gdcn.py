"""Crosses that a gate lets through: the gated cross network."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Parts
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer


@register
class GDCN(CheckedLayer):
    """Crosses features behind gates: [..., F] to [..., F].

    The gated cross network of Wang et al. (2023), section 3.2:

        x_{l+1} = x_0 * (W_l x_l + b_l) * sigmoid(G_l x_l) + x_l

    The gate of a cross learns how much of it is noise, so that more layers than
    in DCN V2 still help.

    Mask: none. Precision: the layer's compute dtype.

    Args:
      num_layers: number of gated cross layers, >= 1.

    Call args:
      inputs: float [..., F].

    Returns:
      float [..., F].

    Raises:
      ValueError: where `num_layers` is below 1.

    Example:
      >>> GDCN(3)(tf.ones([2, 5, 4])).shape
      TensorShape([2, 5, 4])

    Reference:
      Wang et al., "Towards Deeper, Lighter and Interpretable Cross Network for
      CTR Prediction", CIKM 2023, arXiv:2311.04635.
    """

    wants = "float [..., F]"
    takes = "features"

    def __init__(self, num_layers: Parts = 3, **kwargs) -> None:
        super().__init__(**kwargs)
        if num_layers < 1:
            raise ValueError(
                f"`num_layers` must be >= 1. Received: num_layers={num_layers}."
            )
        self.num_layers = num_layers

    def build(self, input_shape) -> None:
        width = input_shape[-1]
        self._crosses, self._gates = [], []
        for i in range(self.num_layers):
            self._crosses.append(self._dense(f"cross_{i}", width))
            self._gates.append(self._dense(f"gate_{i}", width, use_bias=False))
        super().build(input_shape)

    def _dense(self, name, width, use_bias=True):
        dense = keras.layers.Dense(
            width, use_bias=use_bias, name=name, dtype=self.dtype_policy
        )
        return built(dense, [None, width])

    def call(self, inputs):
        crossed = inputs
        for cross, gate in zip(self._crosses, self._gates, strict=True):
            crossed += inputs * cross(crossed) * tf.sigmoid(gate(crossed))
        return crossed

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}
