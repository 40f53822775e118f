"""Behaviour as the last state of a GRU."""

from tfadrec.core.door import register, tf
from tfadrec.layers.behavior.augru import AUGRU
from tfadrec.layers.behavior.checks import EVENTS
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.ops import masking


@register
class GRU(CheckedLayer):
    """Reads events oldest first: [B, T, D] to [B, 1, D].

    The state after the newest real event of a gated recurrent unit (Cho et
    al., 2014), in the form whose reset gate acts after the recurrent product,
    which is faster and which DIEN has too:

        u, r = sigmoid(x W + h U + b);  n = tanh(x W_n + r * (h U_n) + b_n)
        h' = (1 - u) * h + u * n

    In the paper it acts before, (r * h) U_n, and u is what is kept and not what
    is taken in.

    Mask: padding is skipped; an empty history gives zeros. Precision: the
    layer's compute dtype.

    Call args:
      inputs: dict of `events`, float [B, T, D], oldest first, and `mask`,
        bool [B, T], True = real. A `target` is not looked at.

    Returns:
      float [B, 1, D].

    Example:
      >>> events, mask = tf.ones([2, 3, 4]), tf.ones([2, 3], tf.bool)
      >>> GRU()({"events": events, "mask": mask}).shape
      TensorShape([2, 1, 4])

    Reference:
      Cho et al., "Learning phrase representations using RNN encoder-decoder
      for statistical machine translation", EMNLP 2014, arXiv:1406.1078,
      equations 5-8.
    """

    wants = EVENTS

    def build(self, input_shape) -> None:
        width = input_shape["events"][-1]
        self._gru = built(
            AUGRU(name="gru", dtype=self.dtype_policy), [None, None, width]
        )
        super().build(input_shape)

    def call(self, inputs):
        mask = inputs["mask"]
        # Padding may hold anything, also NaN, and 0 * NaN is not 0.
        events = masking.zero_padding(inputs["events"], mask)
        states = self._gru(
            tf.transpose(events, [1, 0, 2]),
            tf.cast(tf.transpose(mask)[:, :, None], events.dtype),
        )
        return states[-1]
