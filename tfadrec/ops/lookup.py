"""Rows of a table, gathered and summed back, fast on the CPU too."""

import math

import tensorflow as tf

from tfadrec.ops import xla
from tfadrec.ops.custom_gradient import custom_gradient

# Below 32 columns TensorFlow's kernel runs several times as fast per column.
_MOST = 31


def gather_rows(table: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Rows of a table, with a dense gradient by `sum_rows`.

    For tables that are small, or whose rows are nearly all read: what a table
    of embeddings with few rows is, or the encoded distinct ads of a batch.

    Args:
      table: float [U, *S], with the shape S of a row known.
      rows: int32 [...], in [0, U).

    Returns:
      float [..., *S].
    """

    @custom_gradient
    def gather(table):
        def gradient(upstream):
            flat = tf.reshape(rows, [-1])
            width = math.prod(table.shape[1:])
            values = tf.reshape(upstream, [tf.size(flat), width])
            sums = sum_rows(values, flat, tf.shape(table)[0])
            return tf.reshape(tf.cast(sums, table.dtype), tf.shape(table))

        return tf.gather(table, rows), gradient

    return gather(tf.convert_to_tensor(table))


def rows_of(table: tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """Rows of a table that may lie in parts on several parameter servers.

    Only the rows are sent. (`tf.gather` would put the parts together first.)
    The gradient is sparse.

    Args:
      table: [U, *S], a variable or one in parts.
      rows: int32 [...], in [0, U).

    Returns:
      A tensor of the table's type, [..., *S].
    """
    return tf.nn.embedding_lookup(table, rows)


def distinct(rows: tf.Tensor, num_rows: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The rows without repeats.

    Args:
      rows: int32 [N], in [0, num_rows).
      num_rows: of the table that they are rows of.

    Returns:
      The distinct rows [U], and the place of each row among them, [N]. Under
      XLA, whose shapes are fixed, U is the largest number that there could be,
      and row 0 fills it up.
    """
    if not xla.is_compiling():
        return tf.unique(rows)
    order = tf.argsort(rows, stable=True)
    ordered = tf.gather(rows, order)
    is_next = tf.cast(ordered[1:] != ordered[:-1], tf.int32)
    numbers = tf.cumsum(tf.pad(is_next, [[1, 0]])[: tf.size(rows)])
    places = tf.scatter_nd(order[:, None], numbers, tf.shape(rows))
    room = tf.minimum(tf.size(rows), num_rows)
    found = tf.math.unsorted_segment_max(ordered, numbers, room)
    return tf.maximum(found, 0), places


def sum_rows(
    values: tf.Tensor, places: tf.Tensor, num_rows: int | tf.Tensor
) -> tf.Tensor:
    """Sums the rows that go to the same place, in float32.

    A product with a sparse matrix of ones: on the CPU several times as fast as
    `tf.math.unsorted_segment_sum`, which XLA gets instead.

    Args:
      values: float [N, D], D known.
      places: int32 [N], in [0, num_rows).
      num_rows: U.

    Returns:
      float32 [U, D]; 0 where no row goes.
    """
    values = tf.cast(values, tf.float32)
    if xla.is_compiling():
        return tf.math.unsorted_segment_sum(values, places, num_rows)
    width = values.shape[-1]
    columns = _columns(width)
    pieces = -(-width // columns)
    spare = pieces * columns - width
    if spare:
        values = tf.pad(values, [[0, 0], [0, spare]])
    # A row is `pieces` short ones, each with a place of its own: no copy.
    places = tf.cast(places, tf.int64)[:, None] * pieces
    places = tf.reshape(places + tf.range(pieces, dtype=tf.int64), [-1])
    count = tf.size(places, tf.int64)
    ones = tf.SparseTensor(
        tf.stack([places, tf.range(count)], axis=1),
        tf.ones([count]),
        tf.stack([tf.cast(num_rows, tf.int64) * pieces, count]),
    )
    sums = tf.sparse.sparse_dense_matmul(
        ones, tf.reshape(values, [count, columns])
    )
    sums = tf.reshape(sums, [num_rows, pieces * columns])
    return sums[:, :width] if spare else sums


def _columns(width):
    """How wide the pieces are: as few and as even as the quick kernel takes."""
    if width <= _MOST:
        return max(width, 1)
    return next((c for c in range(_MOST, 7, -1) if width % c == 0), 16)
