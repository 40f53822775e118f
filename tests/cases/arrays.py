"""Small arrays for the cases, and their shapes."""

import numpy as np

from tfadrec.core.door import tf

D = 6


def spec(*shape, dtype=tf.float32):
    return tf.TensorSpec([None, *shape], dtype)


def lengths_of(batch, time):
    """Full, then shorter ones, the last empty."""
    lengths = np.maximum(time - np.arange(batch), 0)
    lengths[-1:] = 0
    return lengths.astype(np.int32)


def mask_of(batch, time):
    return np.arange(time) < lengths_of(batch, time)[:, None]


def normal(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def rows(*shape, high=10):
    return np.random.default_rng(3).integers(0, high, shape).astype(np.int32)
