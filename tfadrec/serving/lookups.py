"""Raw values to their rows, by core TensorFlow ops."""

from collections.abc import Iterable
from typing import Any

from tfadrec.core.door import tf


def lookup(known: Iterable[Any], dtype: tf.DType) -> tf.lookup.StaticHashTable:
    """Raw values to rows, 1-based; 0 for whatever is not known."""
    keys = tf.constant(list(known), dtype)
    rows = tf.range(1, len(keys) + 1, dtype=tf.int32)
    if not len(keys):  # A table has to hold something.
        keys, rows = tf.zeros([1], dtype), tf.zeros([1], tf.int32)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, rows), 0
    )
