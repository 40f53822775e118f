"""Behaviour as what matters for the ad at hand: Deep Interest Network."""

from collections.abc import Sequence

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built


@register
class DIN(keras.layers.Layer):
    """Weighs each event by its relevance to each candidate, to [B, C, D].

    The local activation unit of Zhou et al. (2018), section 4.3, equation 3,
    with the product form of its inputs:

        a_t = MLP([q, k_t, q - k_t, q * k_t]);  out = sum_t a_t k_t

    over events k_1..k_T and a candidate q. As in the paper the weights are not
    normalised, so their sum tells how strongly a user is interested. The first
    layer's kernel, applied to the concatenation, is a sum of kernels applied
    to the parts, and the part of the difference falls into those of q and k:

        W [q, k, q - k, q * k] = (W_q + W_d) q + (W_k - W_d) k + W_p (q * k)

    so three kernels are held, and what depends on q or on k alone is computed
    once per candidate or per event and not once per pair.

    Mask: padding has no weight; an empty history gives zeros. Precision: the
    layer's compute dtype.

    Args:
      hidden_units: widths of the activation unit's hidden layers, each >= 1,
        at least one.
      activation: of the hidden layers, any Keras activation.

    Call args:
      inputs: dict of `events`, float [B, T, D], `mask`, bool [B, T], True =
        real, and `target`, float [B, C, D].

    Returns:
      float [B, C, D].

    Raises:
      ValueError: where `hidden_units` is empty or has a width below 1.

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> target = tf.ones([2, 5, 4])
      >>> inputs = {"events": events, "mask": mask, "target": target}
      >>> DIN()(inputs).shape
      TensorShape([2, 5, 4])

    Reference:
      Zhou et al., "Deep Interest Network for Click-Through Rate Prediction",
      KDD 2018, arXiv:1706.06978.
    """

    def __init__(
        self,
        hidden_units: Sequence[int] = (80, 40),
        activation="relu",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not hidden_units or min(hidden_units) < 1:
            raise ValueError(
                "`hidden_units` must be widths >= 1, at least one. Received: "
                f"hidden_units={tuple(hidden_units)}."
            )
        self.hidden_units = tuple(hidden_units)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape) -> None:
        width = input_shape["events"][-1]
        self._query = self._dense("query", self.hidden_units[0], width)
        self._key = self._dense(
            "key", self.hidden_units[0], width, use_bias=False
        )
        self._product = self._dense(
            "product", self.hidden_units[0], width, use_bias=False
        )
        widths = (*self.hidden_units, 1)
        self._rest = [
            self._dense(f"hidden_{i}", units, widths[i])
            for i, units in enumerate(widths[1:])
        ]
        super().build(input_shape)

    def _dense(self, name, units, input_width, use_bias=True):
        dense = keras.layers.Dense(
            units, use_bias=use_bias, name=name, dtype=self.dtype_policy
        )
        return built(dense, [None, input_width])

    def call(self, inputs):
        target, mask = inputs["target"], inputs["mask"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = tf.where(mask[:, :, None], inputs["events"], 0)
        pairs = target[:, :, None, :] * events[:, None, :, :]  # [B, C, T, D]
        hidden = (
            self._query(target)[:, :, None, :]
            + self._key(events)[:, None, :, :]
            + self._product(pairs)
        )  # [B, C, T, H]
        for layer in self._rest:
            hidden = layer(self.activation(hidden))
        weights = tf.where(mask[:, None, :], tf.squeeze(hidden, -1), 0)
        return tf.matmul(weights, events)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_units": list(self.hidden_units),
            "activation": keras.activations.serialize(self.activation),
        }
