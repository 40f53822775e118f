"""Two streams of a deep network, and their products: FinalMLP."""

from collections.abc import Sequence

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer

_STREAMS = ("first", "second")


@register
class FinalMLP(CheckedLayer):
    """Fuses two deep networks bilinearly: [..., F] to [..., H].

    Mao et al. (2023). Each stream sees the features x through a gate of its
    own. The first stream's is the same for every candidate, the second's is
    worked out from the features themselves:

        g_1 = 2 sigmoid(b_1);  g_2 = 2 sigmoid(G x + b_2)
        o_s = MLP_s(g_s * x)

    and the outputs are fused in H heads, each over its share of the widths:

        out_h = o_1h . w_1h + o_2h . w_2h + o_1h^T W_h o_2h + b_h

    The sum of the out_h is the paper's logit. It departs from the paper in the
    gates, which there are networks of chosen features (a user's, an ad's, or
    learned constants) that a layer over all features cannot tell apart.

    Mask: none. Precision: the layer's compute dtype.

    Args:
      hidden_units: widths of each stream's network, each >= 1, at least one.
      num_heads: H >= 1, a divisor of the last width.

    Call args:
      inputs: float [..., F].

    Returns:
      float [..., H].

    Raises:
      ValueError: where a width is below 1, or `num_heads` does not divide the
        last one.

    Example:
      >>> FinalMLP((8, 4), num_heads=2)(tf.ones([2, 5, 4])).shape
      TensorShape([2, 5, 2])

    Reference:
      Mao et al., "FinalMLP: An Enhanced Two-Stream MLP Model for CTR
      Prediction", AAAI 2023, arXiv:2304.00902.
    """

    wants = "float [..., F]"
    takes = "features"

    def __init__(
        self,
        hidden_units: Sequence[Count] = (128, 64),
        *,
        num_heads: Count = 2,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not hidden_units or min(hidden_units) < 1:
            raise ValueError(
                "`hidden_units` must be widths >= 1, at least one. Received: "
                f"hidden_units={tuple(hidden_units)}."
            )
        if num_heads < 1 or hidden_units[-1] % num_heads:
            raise ValueError(
                "`num_heads` must be >= 1 and divide the last of "
                f"`hidden_units`. Received: num_heads={num_heads}, "
                f"hidden_units={tuple(hidden_units)}."
            )
        self.hidden_units = tuple(hidden_units)
        self.num_heads = num_heads

    def build(self, input_shape) -> None:
        width = input_shape[-1]
        self._constant_gate = self.add_weight(
            "first_gate", [width], initializer="zeros"
        )
        self._gate = self._dense("second_gate", width, width)
        widths = (width, *self.hidden_units)
        self._hidden = {
            (key := f"{name}_hidden_{i}"): self._dense(
                key, widths[i], units, "relu"
            )
            for name in _STREAMS
            for i, units in enumerate(self.hidden_units)
        }
        share = widths[-1] // self.num_heads
        self._linear = {
            name: self.add_weight(f"{name}_linear", [self.num_heads, share])
            for name in _STREAMS
        }
        self._bilinear = self.add_weight(
            "bilinear", [self.num_heads, share, share]
        )
        self._bias = self.add_weight(
            "bias", [self.num_heads], initializer="zeros"
        )
        super().build(input_shape)

    def _dense(self, name, width, units, activation=None):
        dense = keras.layers.Dense(
            units, activation=activation, name=name, dtype=self.dtype_policy
        )
        return built(dense, [None, width])

    def call(self, inputs):
        # Flat rows: an einsum over "..." has a gradient many times as slow.
        rows = tf.reshape(inputs, [-1, inputs.shape[-1]])  # [n, F]
        gates = {"first": self._constant_gate, "second": self._gate(rows)}
        outputs = {}
        for name in _STREAMS:
            output = rows * (2 * tf.sigmoid(gates[name]))
            for i in range(len(self.hidden_units)):
                output = self._hidden[f"{name}_hidden_{i}"](output)
            share = output.shape[-1] // self.num_heads
            outputs[name] = tf.reshape(output, [-1, self.num_heads, share])
        first, second = outputs["first"], outputs["second"]  # [n, H, d]
        fused = tf.einsum("nhd,hde->nhe", first, self._bilinear) * second
        fused += first * self._linear["first"]
        fused += second * self._linear["second"]
        heads = tf.reduce_sum(fused, axis=-1) + self._bias  # [n, H]
        free = tf.shape(inputs)[:-1]
        return tf.reshape(heads, tf.concat([free, [self.num_heads]], axis=0))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_units": list(self.hidden_units),
            "num_heads": self.num_heads,
        }
