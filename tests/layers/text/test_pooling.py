"""Pooling against answers worked out by hand."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.layers.text.pooling import pool

# Two rows of three tokens; NaN and inf stand in padding and are not read.
VECTORS = np.array(
    [
        [[1.0, 2.0], [3.0, 6.0], [np.nan, np.inf]],
        [[np.inf, np.nan], [5.0, -1.0], [7.0, 3.0]],
        [[np.nan, np.nan], [np.inf, 1.0], [2.0, 2.0]],
    ],
    np.float32,
)
MASK = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0]], bool)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        # Row 0: (1 + 3) / 2, (2 + 6) / 2. Row 1: (5 + 7) / 2, (-1 + 3) / 2.
        ("mean", [[2, 4], [6, 1], [0, 0]]),
        ("cls", [[1, 2], [5, -1], [0, 0]]),
        ("last_token", [[3, 6], [7, 3], [0, 0]]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_by_hand(pooling, expected, dtype):
    vectors = tf.cast(VECTORS, dtype)
    pooled = pool(vectors, tf.constant(MASK), pooling)
    assert pooled.dtype == dtype
    np.testing.assert_array_equal(tf.cast(pooled, "float32"), expected)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last_token"])
def test_no_tokens_at_all(pooling):
    pooled = pool(tf.zeros([2, 0, 4]), tf.zeros([2, 0], bool), pooling)
    np.testing.assert_array_equal(pooled, np.zeros([2, 4]))
