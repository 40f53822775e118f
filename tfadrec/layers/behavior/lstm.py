"""Behaviour as the last state of an LSTM."""

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.behavior.checks import EVENTS
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking


@register
class LSTM(CheckedLayer):
    """Reads events oldest first: [B, T, D] to [B, 1, D].

    The hidden state after the newest real event (Hochreiter and Schmidhuber,
    1997, with the forget gate of Gers et al., 2000):

        i, f, o = sigmoid(x W + h U + b);  g = tanh(x W_g + h U_g + b_g)
        c' = f c + i g;  h' = o tanh(c')

    Mask: padding is skipped; an empty history gives zeros. Precision: the
    layer's compute dtype.

    Call args:
      inputs: dict of `events`, float [B, T, D], oldest first, and `mask`,
        bool [B, T], True = real. A `target` is not looked at.

    Returns:
      float [B, 1, D].

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> LSTM()({"events": events, "mask": mask}).shape
      TensorShape([2, 1, 4])

    Reference:
      Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation
      9 (1997); Gers et al., Neural Computation 12 (2000).
    """

    wants = EVENTS

    def build(self, input_shape) -> None:
        events = input_shape["events"]
        self._lstm = built(
            keras.layers.LSTM(events[-1], name="lstm", dtype=self.dtype_policy),
            events,
        )
        super().build(input_shape)

    def call(self, inputs):
        mask = inputs["mask"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(inputs["events"], mask)
        # One masked step more, because Keras cannot loop over none.
        events = tf.pad(events, [[0, 0], [0, 1], [0, 0]])
        state = self._lstm(events, mask=tf.pad(mask, [[0, 0], [0, 1]]))
        return state[:, None, :]
