"""A behaviour encoder and an interaction of one's own, for a run's settings.

`own_layers.yaml` names them, `--allow-import own_layers` allows them, and this
folder has to be on PYTHONPATH. `docs/training.md` says more.
"""

import tensorflow as tf
import tf_keras as keras


class Fading(keras.layers.Layer):
    """The mean of a history whose events fade with age: [B, T, D] to [B, 1, D].

    Args:
      half_life: seconds after which an event counts half.
    """

    def __init__(self, half_life: float = 86_400.0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.half_life = half_life

    def call(self, inputs):
        """A user vector from `events`, `mask` and `ages`, in seconds."""
        ages = tf.cast(inputs["ages"], tf.float32)
        weights = tf.where(inputs["mask"], 0.5 ** (ages / self.half_life), 0.0)
        total = tf.reduce_sum(weights, axis=1, keepdims=True)
        weights = tf.math.divide_no_nan(weights, total)
        events = tf.cast(inputs["events"], tf.float32)
        events = tf.where(inputs["mask"][..., None], events, 0.0)
        mean = tf.einsum("bt,btd->bd", weights, events)
        return tf.cast(mean[:, None], self.compute_dtype)

    def get_config(self):
        """Every argument, so that the layer can be saved."""
        return {**super().get_config(), "half_life": self.half_life}


class Gate(keras.layers.Layer):
    """Lets each feature of a candidate pass in part: [..., F] to [..., F].

    Args:
      units: the width of the layer that tells how much passes.
    """

    #: What a ranker gives it: `features` side by side, or `fields`.
    takes = "features"

    def __init__(self, units: int = 16, **kwargs) -> None:
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape) -> None:
        """Makes the two layers."""
        policy = self.dtype_policy
        self._hidden = keras.layers.Dense(self.units, "relu", dtype=policy)
        self._gate = keras.layers.Dense(
            input_shape[-1], "sigmoid", dtype=policy
        )
        with tf.name_scope("hidden"):
            self._hidden.build(input_shape)
        with tf.name_scope("gate"):
            self._gate.build([*input_shape[:-1], self.units])
        super().build(input_shape)

    def call(self, inputs):
        """The features, each multiplied by a number in (0, 1)."""
        return inputs * self._gate(self._hidden(inputs))

    def compute_output_shape(self, input_shape):
        """As it came."""
        return input_shape

    def get_config(self):
        """Every argument, so that the layer can be saved."""
        return {**super().get_config(), "units": self.units}
