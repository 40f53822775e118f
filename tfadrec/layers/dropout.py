"""Dropout that a resumed run repeats."""

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.counted_seed import counted_seed, next_seed


@register
class Dropout(keras.layers.Layer):
    """Zeroes a share of the inputs while training, [...] to [...].

    As in Srivastava et al. (2014), what is kept is scaled by 1 / (1 - rate).
    The mask depends on a seed and on a counter of the calls. Both are a weight,
    so a checkpoint holds them, and a run that was killed and resumed draws the
    masks that it would have drawn.

    Mask: passed on unchanged. Precision: that of the inputs.

    Args:
      rate: the share of inputs to drop, in [0, 1).
      broadcast_last: whether one draw decides for the whole last axis.
      seed: None draws one with the weights, as `keras.utils.set_random_seed`
        determines.

    Call args:
      inputs: float [...].
      training: whether to drop anything.

    Returns:
      A tensor like the inputs.

    Raises:
      ValueError: where the rate lies outside [0, 1).

    Example:
      >>> Dropout(0.5)(tf.ones([2, 3]), training=False).shape
      TensorShape([2, 3])

    Reference:
      Srivastava et al., "Dropout", JMLR 15 (2014).
    """

    def __init__(
        self,
        rate: float,
        *,
        broadcast_last: bool = False,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(
                f"`rate` must lie in [0, 1). Received: rate={rate}."
            )
        self.rate = rate
        self.broadcast_last = broadcast_last
        self.seed = seed
        self.supports_masking = True

    def build(self, input_shape) -> None:
        self._state = counted_seed(self, self.seed)
        super().build(input_shape)

    def call(self, inputs, training=None):
        if not training or self.rate == 0:
            return inputs
        noise = tf.shape(inputs)
        if self.broadcast_last:
            noise = tf.concat([noise[:-1], [1]], axis=0)
        return tf.nn.experimental.stateless_dropout(
            inputs,
            rate=self.rate,
            seed=next_seed(self._state),
            noise_shape=noise,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "rate": self.rate,
            "broadcast_last": self.broadcast_last,
            "seed": self.seed,
        }
