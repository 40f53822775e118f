"""GRU with an attentional update gate."""

from tfadrec.core.door import keras, register, tf
from tfadrec.ops import recurrence


@register
class AUGRU(keras.layers.Layer):
    """A GRU's states per candidate: [T, B, D], [T, B, C] to [T+1, B, C, D].

    `tfadrec.ops.recurrence.gru` with its weights, time first: the attention
    scales how far a step moves the state. Where it is 1 this is a plain GRU,
    and where it is 0 the step is skipped. What the inputs bring to the gates is
    computed once per user and not once per candidate.

    Mask: an attention of 0; the inputs have to be finite there too. Precision:
    the compute dtype.

    Call args:
      inputs: float [T, B, D].
      attention: float [T, B, C], in [0, 1].

    Returns:
      float [T + 1, B, C, D], the first one zeros.

    Example:
      >>> AUGRU()(tf.ones([3, 2, 4]), tf.ones([3, 2, 5])).shape
      TensorShape([4, 2, 5, 4])

    Reference:
      Zhou et al., "Deep Interest Evolution Network for Click-Through Rate
      Prediction", AAAI 2019, arXiv:1809.03672, equations 2-5, 11 and 12.
    """

    def build(self, input_shape) -> None:
        width = input_shape[-1]
        self.kernel = self.add_weight("kernel", [width, 3 * width])
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", [width, 3 * width], initializer="orthogonal"
        )
        self.bias = self.add_weight("bias", [3 * width], initializer="zeros")
        super().build(input_shape)

    def call(self, inputs, attention):
        return recurrence.gru(
            recurrence.input_gates(inputs, self.kernel, self.bias),
            tf.convert_to_tensor(self.recurrent_kernel),
            tf.cast(attention, inputs.dtype),
        )
