"""Signs against a loop, and planes that their seed determines."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.ops import hashing


def test_signs():
    vectors = np.random.default_rng(0).normal(size=(2, 3, 4))
    planes = hashing.random_planes(4, 5, seed=7)
    signs = hashing.signs(tf.constant(vectors, tf.float32), planes)
    assert signs.dtype == tf.bool
    for b, n, i in np.ndindex(2, 3, 5):
        product = sum(vectors[b, n, d] * planes[d, i] for d in range(4))
        assert bool(signs[b, n, i]) == (product >= 0)


def test_products_are_taken_in_float32():
    # In float16 1.0001 is 1, and 2048 + 1 is 2048.
    planes = np.ones([3, 1], np.float32)
    for vector, dtype in (
        ([1.0, 0.0, -1.0001], tf.float32),
        ([2048.0, -1.0, -2048.0], tf.float16),
    ):
        vectors = tf.constant([vector], dtype)
        assert not hashing.signs(vectors, planes).numpy().any()
        assert hashing.signs(-vectors, planes).numpy().all()


def test_planes():
    planes = hashing.random_planes(4, 1000, seed=7)
    assert planes.shape == (4, 1000)
    assert planes.dtype == np.float32
    np.testing.assert_array_equal(planes, hashing.random_planes(4, 1000, 7))
    assert np.abs(planes - hashing.random_planes(4, 1000, 8)).max() > 0.1
    # As many on one side as on the other, in every direction.
    assert np.abs(planes.mean(axis=1)).max() < 0.15
