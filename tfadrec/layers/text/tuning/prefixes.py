"""Prefix tuning: keys and values before the text."""

from tfadrec.core.door import keras, tf
from tfadrec.layers.text.tuning.ways import Prefix


class Prefixes(keras.layers.Layer):
    """The weights of `Prefix`, for each block [length, width].

    Args:
      num_blocks: of the model.
      width: of its keys and values.
      settings: the length.
    """

    def __init__(
        self, num_blocks: int, width: int, settings: Prefix, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self._num_blocks = num_blocks
        self._width = width
        self.length = settings.length

    def build(self, input_shape) -> None:
        self._keys, self._values = (
            [
                self.add_weight(
                    f"block_{block}/{kind}",
                    [self.length, self._width],
                    initializer=keras.initializers.RandomNormal(0.0, 0.02),
                )
                for block in range(self._num_blocks)
            ]
            for kind in ("key", "value")
        )
        super().build(input_shape)

    def adapter_weights(self):
        """All that decides the outputs."""
        return self.trainable_weights

    def call(self, inputs, block):
        """Keys and values [N, L, W], each with the prefix before it."""
        count = tf.shape(inputs[0])[0]
        return tuple(
            tf.concat(
                [
                    tf.tile(
                        tf.cast(own[block], part.dtype)[tf.newaxis],
                        [count, 1, 1],
                    ),
                    part,
                ],
                axis=1,
            )
            for part, own in zip(
                inputs, (self._keys, self._values), strict=True
            )
        )
