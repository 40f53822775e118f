"""Random hyperplanes: vectors at a small angle get like signs."""

import numpy as np
import tensorflow as tf


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
