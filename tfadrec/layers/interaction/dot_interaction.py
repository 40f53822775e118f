"""The inner product of every pair of fields: DLRM's interaction."""

import itertools

import tensorflow_recommenders as tfrs

from tfadrec.core.door import register, tf
from tfadrec.layers.checked_layer import CheckedLayer


@register
class DotInteraction(CheckedLayer):
    """Inner products of all pairs: [..., N, D] to [..., N (N - 1) / 2].

    Naumov et al. (2019): v_i . v_j for every i < j, in the order (0, 1),
    (0, 2), (1, 2), (0, 3) ... of the lower triangle's rows. The products are
    those of `DotInteraction` of tensorflow-recommenders; the pairs are picked
    here, in a form that XLA compiles.

    Mask: none. Precision: the layer's compute dtype.

    Call args:
      inputs: float [..., N, D], N known and >= 2.

    Returns:
      float [..., N (N - 1) / 2].

    Raises:
      ValueError: where there are fewer than two fields.

    Example:
      >>> DotInteraction()(tf.ones([2, 5, 4, 3])).shape
      TensorShape([2, 5, 6])

    Reference:
      Naumov et al., "Deep Learning Recommendation Model for Personalization
      and Recommendation Systems", 2019, arXiv:1906.00091.
    """

    wants = "float [..., N, D]"
    takes = "fields"

    def build(self, input_shape) -> None:
        count = input_shape[-2]
        if count is None or count < 2:
            raise ValueError(
                "`DotInteraction` needs the number of fields, at least two. "
                f"Received: inputs of shape {tuple(input_shape)}."
            )
        self._products = tfrs.layers.feature_interaction.DotInteraction(
            skip_gather=True, name="products", dtype=self.dtype_policy
        )
        self._pairs = [
            later * count + earlier
            for later, earlier in itertools.product(range(count), repeat=2)
            if earlier < later
        ]
        super().build(input_shape)

    def call(self, inputs):
        count, width = inputs.shape[-2:]
        fields = tf.unstack(tf.reshape(inputs, [-1, count, width]), axis=1)
        pairs = tf.gather(self._products(fields), self._pairs, axis=-1)
        shape = [*tf.unstack(tf.shape(inputs)[:-2]), len(self._pairs)]
        return tf.reshape(pairs, shape)
