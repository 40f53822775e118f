"""Hashes: of vectors by random hyperplanes, and of codes together."""

import numpy as np
import tensorflow as tf

# An odd constant whose bits are well mixed (2^64 over the golden ratio).
_PRIME = 0x9E3779B97F4A7C15 - 2**64


def random_planes(width: int, num_hashes: int, seed: int) -> np.ndarray:
    """The normals of random hyperplanes, the same for the same seed.

    Args:
      width: D.
      num_hashes: number of planes, m.
      seed: of NumPy's generator.

    Returns:
      float32 [D, m].
    """
    random = np.random.default_rng(seed)
    return random.normal(size=(width, num_hashes)).astype(np.float32)


def signs(vectors: tf.Tensor, planes: tf.Tensor) -> tf.Tensor:
    """On which side of each plane a vector lies (Charikar, 2002).

    Args:
      vectors: float [..., D] of any precision.
      planes: float32 [D, m].

    Returns:
      bool [..., m], True where the product with the normal is >= 0.
    """
    # A product near 0 changes its sign with the precision.
    return tf.matmul(tf.cast(vectors, tf.float32), planes) >= 0


def key_of(ids: tf.Tensor) -> tf.Tensor:
    """What a raw id is known by where no list of ids is kept.

    The fingerprint of a text, of 63 bits, or a number itself, one higher.

    Args:
      ids: string or int64 [...]; an empty text and -1 are nobody.

    Returns:
      int64 [...], 0 for nobody.
    """
    if ids.dtype != tf.string:
        return ids + 1
    found = 1 + tf.strings.to_hash_bucket_fast(ids, 2**63 - 1)
    return tf.where(ids == "", tf.zeros([], tf.int64), found)


def bucket_of(ids: tf.Tensor, buckets: int) -> tf.Tensor:
    """The hash bucket of whole numbers.

    Each is mixed as a code in `cross`, twice, so that its low bits depend on
    all of them.

    Args:
      ids: int64 [...].
      buckets: >= 1.

    Returns:
      int64 [...] in [0, buckets).
    """
    mixed = _mixed(_mixed(tf.zeros([], tf.int64), ids), ids)
    return tf.math.floormod(mixed, buckets)


def cross(codes: list[tf.Tensor], buckets: int) -> tf.Tensor:
    """The hash bucket of codes taken together.

    With h = 0, for each code c: h <- (h xor c) P, h <- h xor (h >> 29), in 64
    bits with wrap-around; the bucket is 1 + h mod `buckets`.

    Args:
      codes: int32 [...] each, of shapes that go together.
      buckets: >= 1.

    Returns:
      int32 [...] in [0, buckets]; 0 where one of the codes is 0.
    """
    mixed = tf.zeros([], tf.int64)
    known = tf.constant(True)
    for code in codes:
        mixed = _mixed(mixed, tf.cast(code, tf.int64))
        known = known & (code > 0)
    bucket = tf.math.floormod(mixed, buckets) + 1
    return tf.where(known, tf.cast(bucket, tf.int32), 0)


def _mixed(mixed: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
    mixed = tf.bitwise.bitwise_xor(mixed, code) * _PRIME
    return tf.bitwise.bitwise_xor(
        mixed, tf.bitwise.right_shift(mixed, tf.constant(29, tf.int64))
    )
