"""Raw values to what a model reads, by core TensorFlow ops."""

from collections.abc import Iterable
from typing import Any

from tfadrec.core.door import tf
from tfadrec.core.schema import Feature


def lookup(known: Iterable[Any], dtype: tf.DType) -> tf.lookup.StaticHashTable:
    """Raw values to rows, 1-based; 0 for whatever is not known."""
    keys = tf.constant(list(known), dtype)
    rows = tf.range(1, len(keys) + 1, dtype=tf.int32)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, rows), 0
    )


def standardised(feature: Feature, values: tf.Tensor) -> tf.Tensor:
    """A numeric column as it is read, float32; 0 where it is missing."""
    scaled = tf.cast((values - feature.mean) / feature.std, tf.float32)
    return tf.where(tf.math.is_finite(scaled), scaled, 0.0)
