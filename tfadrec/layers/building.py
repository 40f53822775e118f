"""How a layer makes its sublayers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.core.door import keras, tf


def built(layer: keras.layers.Layer, input_shape) -> keras.layers.Layer:
    """Builds a sublayer under its own name, inside its parent's `build`.

    Weight names then follow the path of the layers, and are unique: freezing
    by name and reading a checkpoint by eye depend on it.

    Args:
      layer: a sublayer with a name of its own.
      input_shape: what its `build` takes.

    Returns:
      The layer.
    """
    if not layer.built:  # a reloaded one is
        with tf.name_scope(layer.name):
            layer.build(input_shape)
    return layer


def table(
    layer: keras.layers.Layer,
    name: str,
    value: np.ndarray | None,
    shape: Sequence[int],
    dtype: str,
) -> tf.Variable:
    """A weight that is read and never trained, inside its layer's `build`.

    Args:
      layer: whose weight it is.
      name: of the weight.
      value: its first value, which no config has to carry; None for zeros.
      shape: its shape.
      dtype: its dtype, whatever the layer's policy.
    """
    return layer.add_weight(
        name,
        shape=shape,
        dtype=dtype,
        initializer="zeros" if value is None else _Constant(value),
        trainable=False,
        experimental_autocast=False,
    )


class _Constant(keras.initializers.Initializer):
    """The first value of a table."""

    def __init__(self, value: np.ndarray) -> None:
        self._value = value

    def __call__(self, shape, dtype=None, **kwargs):
        return tf.reshape(tf.constant(self._value, dtype), shape)


def config_of(layer: keras.layers.Layer | None) -> dict | None:
    """The config of a sublayer that its parent is given and builds.

    Keras would also note how the sublayer was built, and build it on its own
    when it is reloaded: its weights' names would lack the parent's.
    """
    if layer is None:
        return None
    config = keras.saving.serialize_keras_object(layer)
    return {k: v for k, v in config.items() if k != "build_config"}


def plain(value: Any) -> Any:
    """A config's value out of what Keras wraps dicts and lists in.

    What is an attribute of a layer is wrapped, and JSON does not know that.
    """
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value
