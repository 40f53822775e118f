"""Houlsby's adapters: a small network after each sublayer."""

from tfadrec.core.door import keras
from tfadrec.layers.text.tuning.ways import Adapter
from tfadrec.ops import transformer


class Bottlenecks(keras.layers.Layer):
    """The weights of `Adapter`, whose docstring has the formula.

    Args:
      places: a name for each sublayer.
      width: D.
      settings: the bottleneck.
    """

    def __init__(
        self, places: list[str], width: int, settings: Adapter, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self._order = {place: i for i, place in enumerate(places)}
        self._width = width
        self._settings = settings

    def build(self, input_shape) -> None:
        inner = self._settings.bottleneck
        self._networks = [
            (
                self.add_weight(f"{place}/down/kernel", [self._width, inner]),
                self.add_weight(
                    f"{place}/down/bias", [inner], initializer="zeros"
                ),
                self.add_weight(
                    f"{place}/up/kernel",
                    [inner, self._width],
                    initializer="zeros",
                ),
                self.add_weight(
                    f"{place}/up/bias", [self._width], initializer="zeros"
                ),
            )
            for place in self._order
        ]
        super().build(input_shape)

    def adapter_weights(self):
        """All that decides the outputs."""
        return self.trainable_weights

    def call(self, inputs, place):
        """The rows after a sublayer's network, [R, D] to [R, D]."""
        down, bias, up, offset = self._networks[self._order[place]]
        hidden = transformer.dense(inputs, down, bias, transformer.gelu)
        return inputs + transformer.dense(hidden, up, offset)
