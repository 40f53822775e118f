"""Texts as code points, flat."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

#: One past the largest code point. What stands at or above it stands for a
#: token that was found whole.
LIMIT = 0x110000


def decode(
    texts: tf.Tensor, whole: Sequence[str] = ()
) -> tuple[tf.Tensor, tf.Tensor]:
    """The code points of all texts, one after the other.

    Bytes that are no UTF-8 become U+FFFD.

    Args:
      texts: string [n].
      whole: texts that are found before anything else; none of them begins
        within another.

    Returns:
      Code points, int32 [P], and the text that each is of, int32 [P]. Text
      `whole[k]` becomes the single number `LIMIT` + k.
    """
    ragged = tf.strings.unicode_decode(texts, "UTF-8")
    points, rows = ragged.values, tf.cast(ragged.value_rowids(), tf.int32)
    inner = tf.zeros(tf.shape(points), tf.bool)
    found = points
    for place, text in enumerate(whole):
        is_here = tf.ones(tf.shape(points), tf.bool)
        for offset, char in enumerate(text):
            is_here &= shifted(points, -offset, -1) == ord(char)
        is_here &= shifted(rows, 1 - len(text), -1) == rows
        for offset in range(1, len(text)):
            inner |= shifted(is_here, offset, False)
        found = tf.where(is_here, LIMIT + place, found)
    if whole:
        found = tf.boolean_mask(found, ~inner)
        rows = tf.boolean_mask(rows, ~inner)
    return found, rows


def encode(points: tf.Tensor, rows: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """The texts of code points, as `decode` gives them without `whole`.

    Args:
      points: int32 [P].
      rows: the text that each is of, int32 [P], rising.
      number: of texts, a scalar.

    Returns:
      string [number], UTF-8.
    """
    ragged = tf.RaggedTensor.from_value_rowids(
        points,
        tf.cast(rows, tf.int64),
        nrows=tf.cast(number, tf.int64),
        validate=False,
    )
    return tf.strings.unicode_encode(ragged, "UTF-8")


def shifted(values: tf.Tensor, by: int, fill) -> tf.Tensor:
    """Each value `by` places later (or earlier, where `by` is negative).

    Args:
      values: [P].
      by: a number of places; P may be smaller.
      fill: what stands where nothing came.

    Returns:
      [P] of the same type.
    """
    size = tf.shape(values)[0]
    fills = tf.fill([abs(by)], tf.cast(fill, values.dtype))
    if by >= 0:
        return tf.concat([fills, values], 0)[:size]
    return tf.concat([values, fills], 0)[-by : size - by]


def hash_table(pairs: Mapping[int, int], default: int):
    """A look-up of int64 keys, int64 [...] to int64 [...]."""
    keys = tf.constant(np.fromiter(pairs.keys(), np.int64, len(pairs)))
    values = tf.constant(np.fromiter(pairs.values(), np.int64, len(pairs)))
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, values), default
    )
