"""Small arrays for the cases, and their shapes."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.layers.features.kinds import columns_of

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


def columns(features, *leading):
    """Columns of features, some of the numbers missing."""
    made = {}
    for feature in features:
        for name, (shape, dtype) in columns_of(feature).items():
            shape = (*leading, *shape)
            if dtype == "int32":
                made[name] = rows(*shape, high=feature["num_codes"])
            else:
                made[name] = normal(*shape)
                if feature["kind"] == "number":
                    made[name][rows(*shape, high=4) == 0] = np.nan
    return made


def column_specs(features, *leading):
    """The shapes of `columns`, but for the first axis."""
    return {
        name: spec(*leading, *shape, dtype=tf.as_dtype(dtype))
        for feature in features
        for name, (shape, dtype) in columns_of(feature).items()
    }


def rows(*shape, high=10):
    return np.random.default_rng(3).integers(0, high, shape).astype(np.int32)
