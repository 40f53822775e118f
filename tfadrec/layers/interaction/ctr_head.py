"""Features to a logit: crosses beside a deep network."""

import math
from collections.abc import Sequence

import numpy as np

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.dropout import Dropout
from tfadrec.layers.interaction.cross_network import CrossNetwork
from tfadrec.ops.kept_between import kept_between

_NO_BOUNDS = {"least": -math.inf, "largest": math.inf}


@register
class CTRHead(CheckedLayer):
    """One logit per candidate from its features: [..., F] to [...].

    Or, with more `units`, what a loss of several outputs reads.

    The parallel form of DCN V2 (Wang et al., 2021, figure 1b): cross layers
    x_{l+1} = x_0 * (W_l x_l + b_l) + x_l beside a deep network, both read by
    one linear output layer.

    Mask: none. Precision: the deep network in the compute dtype, crosses and
    output layer in float32.

    Args:
      hidden_units: widths of the deep network, each >= 1; may be empty.
      cross_layers: number of cross layers, >= 0.
      cross_rank: the rank of the cross kernels, >= 1, or None for full rank.
      dropout: share of hidden activations dropped in training, in [0, 1).
      units: how many outputs there are, >= 1.
      starts_at_zero: whether all outputs are zero before training.
      is_bounded: whether there are weights, not trained, that outputs are kept
        between; infinite until `keep_between` is called.

    Call args:
      inputs: float [..., F].
      training: whether to drop.

    Returns:
      float32 logits [...], or outputs [..., `units`] where there are several.

    Raises:
      ValueError: where a width or the rank is below 1, or `cross_layers` < 0.

    Example:
      >>> CTRHead(hidden_units=(8,))(tf.ones([2, 5, 4])).shape
      TensorShape([2, 5])

    Reference:
      Wang et al., "DCN V2", WWW 2021, arXiv:2008.13535.
    """

    wants = "float [..., F]"

    def __init__(
        self,
        hidden_units: Sequence[int] = (128, 64),
        *,
        cross_layers: int = 1,
        cross_rank: int | None = 32,
        dropout: float = 0.0,
        units: int = 1,
        starts_at_zero: bool = False,
        is_bounded: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if any(units < 1 for units in hidden_units) or cross_layers < 0:
            raise ValueError(
                "`hidden_units` must be >= 1 and `cross_layers` >= 0. "
                f"Received: hidden_units={tuple(hidden_units)}, "
                f"cross_layers={cross_layers}."
            )
        if cross_rank is not None and cross_rank < 1:
            raise ValueError(
                "`cross_rank` must be >= 1 or None. Received: "
                f"cross_rank={cross_rank}."
            )
        if units < 1:
            raise ValueError(f"`units` must be >= 1. Received: units={units}.")
        self.hidden_units = tuple(hidden_units)
        self.units = units
        self.starts_at_zero = starts_at_zero
        self.is_bounded = is_bounded
        self.cross_layers = cross_layers
        self.cross_rank = cross_rank
        self.dropout = dropout

    def build(self, input_shape) -> None:
        width = input_shape[-1]
        self._cross = None
        if self.cross_layers:
            self._cross = built(
                CrossNetwork(
                    self.cross_layers,
                    rank=self.cross_rank,
                    name="cross",
                    dtype="float32",
                ),
                [None, width],
            )
        widths = (width, *self.hidden_units)
        self._hidden = [
            built(
                keras.layers.Dense(
                    units,
                    activation="relu",
                    name=f"hidden_{i}",
                    dtype=self.dtype_policy,
                ),
                [None, widths[i]],
            )
            for i, units in enumerate(self.hidden_units)
        ]
        self._dropouts = [
            built(
                Dropout(
                    self.dropout, name=f"dropout_{i}", dtype=self.dtype_policy
                ),
                [None, units],
            )
            for i, units in enumerate(self.hidden_units)
        ]
        deep = widths[-1] if self.hidden_units else 0
        crossed = width if self.cross_layers or not deep else 0
        self._output = built(
            keras.layers.Dense(
                self.units,
                kernel_initializer="zeros"
                if self.starts_at_zero
                else "glorot_uniform",
                name="output",
                dtype="float32",
            ),
            [None, crossed + deep],
        )
        self._bounds = [
            self.add_weight(
                name,
                shape=[self.units],
                dtype="float32",
                initializer=keras.initializers.Constant(value),
                trainable=False,
                experimental_autocast=False,
            )
            for name, value in _NO_BOUNDS.items()
            if self.is_bounded
        ]
        super().build(input_shape)

    def start_at(self, outputs: np.ndarray) -> None:
        """Has outputs that are zero at the start begin there; it is built.

        Args:
          outputs: [units].
        """
        self._output.bias.assign(outputs)

    def keep_between(self, least: np.ndarray, largest: np.ndarray) -> None:
        """Sets the bounds of the outputs of a built layer that `is_bounded`.

        Args:
          least: [units], may be infinite.
          largest: the same.
        """
        for bound, values in zip(self._bounds, (least, largest), strict=True):
            bound.assign(values)

    def call(self, inputs, training=None):
        # Of two dimensions: TensorFlow makes product, bias and ReLU one op.
        shape = tf.shape(inputs)[:-1]
        inputs = tf.reshape(inputs, [-1, inputs.shape[-1]])
        deep = inputs
        for hidden, dropout in zip(self._hidden, self._dropouts, strict=True):
            deep = dropout(hidden(deep), training=training)
        parts = [deep] if self._hidden else []
        if self._cross is not None:
            parts.insert(0, self._cross(inputs))
        elif not parts:
            parts = [inputs]
        parts = [tf.cast(part, tf.float32) for part in parts]
        logits = self._output(tf.concat(parts, axis=-1))
        if self.is_bounded:
            # A way back is for training: explanations need the true gradient.
            keep = kept_between if training else tf.clip_by_value
            logits = keep(logits, *map(tf.identity, self._bounds))
        if self.units > 1:
            shape = tf.concat([shape, [self.units]], axis=0)
        return tf.reshape(logits, shape)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_units": list(self.hidden_units),
            "cross_layers": self.cross_layers,
            "cross_rank": self.cross_rank,
            "dropout": self.dropout,
            "units": self.units,
            "starts_at_zero": self.starts_at_zero,
            "is_bounded": self.is_bounded,
        }
