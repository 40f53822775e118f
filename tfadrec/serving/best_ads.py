"""Which ads to give: the best of the catalogue, or of a list."""

from collections.abc import Callable, Mapping

import numpy as np

from tfadrec.core.door import tf

# Ads of the catalogue that are ranked at a time: bounds the memory.
_CHUNK = 1024


def rank_all(
    rank: Callable[[tf.Tensor], tf.Tensor], batch: tf.Tensor, total: int
) -> tf.Tensor:
    """What all rows of a catalogue are worth, some rows at a time.

    Args:
      rank: int32 rows [B, n] to float32 [B, n].
      batch: B.
      total: N + 1, rows there are.

    Returns:
      float32 [B, N + 1].
    """
    chunks = -(-total // _CHUNK)

    def rank_chunk(number):
        rows = number * _CHUNK + tf.range(_CHUNK)
        rows = tf.minimum(rows, total - 1)[None, :]
        return rank(tf.broadcast_to(rows, [batch, _CHUNK]))

    worth = tf.map_fn(
        rank_chunk,
        tf.range(chunks),
        fn_output_signature=tf.float32,
        parallel_iterations=1,
    )  # [chunks, B, CHUNK]
    worth = tf.transpose(worth, [1, 0, 2])
    return tf.reshape(worth, [batch, chunks * _CHUNK])[:, :total]


def without(worth: tf.Tensor, unwanted: tf.Tensor) -> tf.Tensor:
    """The same, but -inf for some rows of the catalogue.

    Args:
      worth: float32 [B, N + 1].
      unwanted: int32 [B, E] rows.
    """
    lowest = tf.fill(tf.shape(unwanted), -np.inf)
    return tf.tensor_scatter_nd_update(worth, _places(unwanted), lowest)


def of_list(
    worth: tf.Tensor, rows: tf.Tensor, unwanted: tf.Tensor, total: int
) -> tf.Tensor:
    """What the ads of lists are worth, -inf where one is not to be given.

    Of an ad that stands in a list twice, the place of more worth counts.

    Args:
      worth: float32 [B, C].
      rows: int32 [B, C] of the catalogue.
      unwanted: int32 [B, E] rows.
      total: N + 1, rows there are.

    Returns:
      float32 [B, C].
    """
    batch, size = tf.shape(rows)[0], tf.shape(rows)[1]
    highest = tf.tensor_scatter_nd_max(
        tf.fill([batch, total], -np.inf), _places(rows), worth
    )
    highest = tf.gather(without(highest, unwanted), rows, batch_dims=1)
    is_best = worth == highest
    place = tf.where(is_best, tf.range(size), size)
    first = tf.tensor_scatter_nd_min(
        tf.fill([batch, total], size), _places(rows), place
    )
    is_first = place == tf.gather(first, rows, batch_dims=1)
    return tf.where(is_best & is_first, worth, -np.inf)


def best(worth: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The places of the most worth.

    Args:
      worth: float32 [B, M]; what is -inf is never given.
      k: int32 [B] >= 0.

    Returns:
      Places int32 [B, K], K the largest k, best first, and bool [B, K], True
      where there is one.
    """
    width = tf.maximum(tf.reduce_max(k), 0)
    found, places = tf.math.top_k(worth, tf.minimum(width, tf.shape(worth)[1]))
    behind = [[0, 0], [0, width - tf.shape(places)[1]]]
    found = tf.pad(found, behind, constant_values=-np.inf)
    is_there = (found > -np.inf) & (tf.range(width) < k[:, None])
    return tf.where(is_there, tf.pad(places, behind), 0), is_there


def put_at(
    values: tf.Tensor, places: tf.Tensor, new: tf.Tensor, is_there: tf.Tensor
) -> tf.Tensor:
    """The same values but for some places.

    Args:
      values: float32 [B, M].
      places: int32 [B, n].
      new: float32 [B, n], what is to stand there.
      is_there: bool [B, n], which of these are looked at; no place twice.
    """
    # The others are put behind the last one, which is then cut off.
    size = tf.shape(values)[1]
    padded = tf.pad(values, [[0, 0], [0, 1]])
    where = _places(tf.where(is_there, places, size))
    return tf.tensor_scatter_nd_update(padded, where, new)[:, :size]


def blank(
    answer: Mapping[str, tf.Tensor], is_there: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The same answer, but a logit of -inf and zeros where no ad is left."""
    return {
        name: tf.where(is_there, values, -np.inf if name == "logits" else 0.0)
        for name, values in answer.items()
    }


def _places(rows):
    """[B, n] columns as places in a matrix of B rows, [B, n, 2]."""
    batch = tf.range(tf.shape(rows)[0])[:, None]
    return tf.stack([tf.broadcast_to(batch, tf.shape(rows)), rows], axis=-1)
