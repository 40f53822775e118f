"""How a layer makes its sublayers."""

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
    with tf.name_scope(layer.name):
        layer.build(input_shape)
    return layer
