"""Tables by row of the catalogue, to which rows may be added."""

from tfadrec.core.door import tf


def growing(values: tf.Tensor) -> tf.Variable:
    """A variable [n, ...] whose number of rows may change."""
    return tf.Variable(values, trainable=False, shape=[None, *values.shape[1:]])


def append(table: tf.Variable, values: tf.Tensor) -> None:
    """Adds rows [m, ...] behind those of a growing table."""
    values = tf.cast(values, table.dtype)
    table.assign(tf.concat([table.read_value(), values], 0))
