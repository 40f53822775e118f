"""All pairs of fields at once: factorisation machine."""

from tfadrec.core.door import register, tf
from tfadrec.layers.checked_layer import CheckedLayer


@register
class FM(CheckedLayer):
    """Sums the products of all pairs of fields: [..., N, D] to [..., D].

    The second-order term of Rendle (2010), equation 1, before its sum over the
    D factors (the pooling of He and Chua, 2017), in linear time:

        out = sum_{i<j} v_i * v_j = ((sum_i v_i)^2 - sum_i v_i^2) / 2

    The sum over D of it is Rendle's term; a layer after it may weigh the
    factors. There are no weights.

    Mask: none. Precision: sums in float32; the output in the compute dtype.

    Call args:
      inputs: float [..., N, D].

    Returns:
      float [..., D].

    Example:
      >>> FM()(tf.ones([2, 5, 4, 3]))[0, 0].numpy().tolist()
      [6.0, 6.0, 6.0]

    Reference:
      Rendle, "Factorization Machines", ICDM 2010; He and Chua, "Neural
      Factorization Machines", SIGIR 2017, arXiv:1708.05027.
    """

    wants = "float [..., N, D]"
    takes = "fields"

    def call(self, inputs):
        fields = tf.cast(inputs, tf.float32)
        square = tf.square(tf.reduce_sum(fields, axis=-2))
        squares = tf.reduce_sum(tf.square(fields), axis=-2)
        return tf.cast((square - squares) / 2, self.compute_dtype)
