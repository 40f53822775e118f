"""Features that the instance itself masks: MaskNet."""

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, Parts, Positive
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer


@register
class MaskNet(CheckedLayer):
    """Multiplies features by masks made of them: [..., F] to [..., K U].

    The parallel form of Wang et al. (2021), sections 3.2 to 3.4, with K mask
    blocks on the features x:

        m_k   = W2_k relu(W1_k x + b1_k) + b2_k
        out_k = relu(LN(W_k (m_k * LN(x))))

    side by side. The multiplication is what a deep network of sums cannot do.
    It departs from the paper in LN(x), which normalises the features together
    and not field by field.

    Mask: none. Precision: the layer's compute dtype; layer normalisation in
    float32.

    Args:
      num_blocks: K >= 1.
      units: U >= 1, the width of a block's output.
      reduction: the mask network's hidden layer is `reduction` times as wide as
        the features, > 0. The paper takes 1 or more.

    Call args:
      inputs: float [..., F].

    Returns:
      float [..., K U].

    Raises:
      ValueError: where an argument is out of range.

    Example:
      >>> MaskNet(num_blocks=2, units=8)(tf.ones([2, 5, 4])).shape
      TensorShape([2, 5, 16])

    Reference:
      Wang et al., "MaskNet: Introducing Feature-Wise Multiplication to CTR
      Ranking Models by Instance-Guided Mask", DLP-KDD 2021, arXiv:2102.07619.
    """

    wants = "float [..., F]"
    takes = "features"

    def __init__(
        self,
        num_blocks: Parts = 2,
        units: Count = 64,
        *,
        reduction: Positive = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if num_blocks < 1 or units < 1 or reduction <= 0:
            raise ValueError(
                "`num_blocks` and `units` must be >= 1, `reduction` > 0. "
                f"Received: num_blocks={num_blocks}, units={units}, "
                f"reduction={reduction}."
            )
        self.num_blocks = num_blocks
        self.units = units
        self.reduction = reduction

    def build(self, input_shape) -> None:
        width = input_shape[-1]
        inner = max(1, round(self.reduction * width))
        self._norm = self._normalise("norm", width)
        self._inner, self._masks, self._outer, self._norms = [], [], [], []
        for i in range(self.num_blocks):
            self._inner.append(self._dense(f"inner_{i}", width, inner, "relu"))
            self._masks.append(self._dense(f"mask_{i}", inner, width))
            # The normalisation after it brings the bias.
            self._outer.append(
                self._dense(f"outer_{i}", width, self.units, use_bias=False)
            )
            self._norms.append(self._normalise(f"norm_{i}", self.units))
        super().build(input_shape)

    def _dense(self, name, width, units, activation=None, use_bias=True):
        dense = keras.layers.Dense(
            units,
            activation=activation,
            use_bias=use_bias,
            name=name,
            dtype=self.dtype_policy,
        )
        return built(dense, [None, width])

    def _normalise(self, name, width):
        norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name=name, dtype=self.dtype_policy
        )
        return built(norm, [None, width])

    def call(self, inputs):
        # Keras' normalisation keeps to the rank that it is built for.
        features = tf.reshape(inputs, [-1, inputs.shape[-1]])
        normal = self._norm(features)
        blocks = []
        for inner, mask, outer, norm in zip(
            self._inner, self._masks, self._outer, self._norms, strict=True
        ):
            masked = mask(inner(features)) * normal
            blocks.append(tf.nn.relu(norm(outer(masked))))
        width = [self.num_blocks * self.units]
        shape = tf.concat([tf.shape(inputs)[:-1], width], axis=0)
        return tf.reshape(tf.concat(blocks, axis=-1), shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_blocks": self.num_blocks,
            "units": self.units,
            "reduction": self.reduction,
        }
