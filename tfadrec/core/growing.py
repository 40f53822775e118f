"""Tables by row of the catalogue, to which rows may be added."""

import numpy as np

from tfadrec.core.door import tf


def growing(values: tf.Tensor | np.ndarray) -> tf.Variable:
    """A variable [n, ...] whose number of rows may change."""
    return tf.Variable(values, trainable=False, shape=[None, *values.shape[1:]])


def at_rows(table: tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """Rows [...] of a table, [..., ...].

    Where a variable itself is gathered from, TensorFlow copies all of it each
    time that it is read or assigned after that. Its value is never copied.
    """
    return tf.gather(table.read_value(), rows)


def put(
    table: tf.Variable, rows: tf.Tensor, values: tf.Tensor | np.ndarray
) -> None:
    """Sets rows [m] of a growing table to values [m, ...].

    Rows may lie behind its end; what is left out between is zeros.
    """
    known = table.read_value()
    # One place at least, so that there is a largest one.
    end = 1 + tf.reduce_max(tf.concat([[-1], rows], 0))
    more = tf.maximum(end - tf.shape(known)[0], 0)
    behind = [[0, 0]] * (known.shape.rank - 1)
    known = tf.pad(known, [[0, more], *behind])
    values = tf.cast(values, table.dtype)
    table.assign(tf.tensor_scatter_nd_update(known, rows[:, None], values))


def append(table: tf.Variable, values: tf.Tensor) -> None:
    """Adds rows [m, ...] behind those of a growing table."""
    values = tf.cast(values, table.dtype)
    table.assign(tf.concat([table.read_value(), values], 0))
