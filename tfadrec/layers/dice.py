"""An activation that bends where its data lie."""

from tfadrec.core.door import register, tf
from tfadrec.layers.checked_layer import CheckedLayer


@register
class Dice(CheckedLayer):
    """Data-adaptive activation: [..., H] to [..., H].

    Zhou et al. (2018), section 5.3, equation 6, per unit:

        f(s) = p(s) s + (1 - p(s)) alpha s
        p(s) = 1 / (1 + exp(-(s - E[s]) / sqrt(Var[s] + epsilon)))

    with alpha learned, 0 at first. It departs from the paper in E and Var:
    these are moving averages in training too, where the paper takes those of
    the batch. So a row's output depends on no other row, training equals
    serving, and no gradient goes through the averages.

    Mask: masked rows do not count in the averages. Precision: the compute
    dtype; averages float32.

    Args:
      momentum: share of the old average that a training step keeps, in [0, 1).
      epsilon: added to the variance, > 0.

    Call args:
      inputs: float [..., H].
      mask: bool [...], True = real; None = all real.
      training: whether the averages are updated.

    Returns:
      float [..., H].

    Raises:
      ValueError: where an argument is out of range.

    Example:
      >>> Dice()(tf.ones([2, 3, 4])).shape
      TensorShape([2, 3, 4])

    Reference:
      Zhou et al., "Deep Interest Network for Click-Through Rate Prediction",
      KDD 2018, arXiv:1706.06978.
    """

    wants = "float [..., H]"

    def __init__(
        self, momentum: float = 0.99, epsilon: float = 1e-3, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= momentum < 1 or epsilon <= 0:
            raise ValueError(
                "`momentum` must be in [0, 1) and `epsilon` > 0. Received: "
                f"momentum={momentum}, epsilon={epsilon}."
            )
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape) -> None:
        units = [input_shape[-1]]
        self._alpha = self.add_weight("alpha", units, initializer="zeros")
        averages = {
            "dtype": "float32",
            "trainable": False,
            "experimental_autocast": False,
            "synchronization": tf.VariableSynchronization.ON_READ,
            "aggregation": tf.VariableAggregation.MEAN,
        }
        self._mean = self.add_weight(
            "mean", units, initializer="zeros", **averages
        )
        self._variance = self.add_weight(
            "variance", units, initializer="ones", **averages
        )
        super().build(input_shape)

    def call(self, inputs, mask=None, training=None):
        if training:
            self._update(inputs, mask)
        scale = tf.math.rsqrt(self._variance + self.epsilon)
        shift = tf.cast(-self._mean * scale, inputs.dtype)
        gate = tf.sigmoid(inputs * tf.cast(scale, inputs.dtype) + shift)
        return inputs * (self._alpha + (1 - self._alpha) * gate)

    def _update(self, inputs, mask):
        flat = tf.stop_gradient(tf.reshape(inputs, [-1, inputs.shape[-1]]))
        flat = tf.cast(flat, tf.float32)
        real = tf.ones([1, tf.shape(flat)[0]])
        if mask is not None:
            real = tf.cast(tf.reshape(mask, [1, -1]), tf.float32)
        count = tf.reduce_sum(real)
        mean = tf.matmul(real, flat)[0] / tf.maximum(count, 1.0)
        centred = tf.matmul(real, tf.square(flat - mean))[0]
        variance = centred / tf.maximum(count, 1.0)
        share = tf.where(count > 0, 1 - self.momentum, 0.0)
        self._mean.assign_add(share * (mean - self._mean))
        self._variance.assign_add(share * (variance - self._variance))

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
