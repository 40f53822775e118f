"""Bytes of vectors, against the points that they stand for in NumPy."""

import numpy as np
import pytest

from tfadrec import retrieval
from tfadrec.core.door import tf
from tfadrec.retrieval.residual_codes import _rotation


def test_every_byte_has_as_much_to_tell():
    """64 and 16 are dealt first; 4 joins 16, so that both products are 64."""
    rotation = _rotation(np.diag([4.0, 64.0, 1.0, 16.0]), 2)
    own = [set(np.flatnonzero(rotation[:, m].any(axis=1))) for m in (0, 1)]
    assert own == [{1, 2}, {0, 3}]
    # Three directions of two bytes: one has a place that is left over.
    rotation = _rotation(np.diag([9.0, 4.0, 1.0]), 2)
    assert rotation.shape == (3, 2, 2)
    np.testing.assert_allclose(np.abs(rotation).sum((0, 2)), [1, 2])


def test_what_a_byte_can_tell_exactly():
    """Residuals of at most 256 values are kept as they are, whatever L is."""
    random = np.random.default_rng(0)
    metric = np.diag([1.0, 2, 1, 2]).astype(np.float32)
    values = random.normal(size=(7, 4)).astype(np.float32)
    residuals = values[random.integers(7, size=400)]
    for count in (1, 2, 4):
        codes = retrieval.ResidualCodes(residuals, metric, count)
        query = random.normal(size=4).astype(np.float32)
        tables = codes.tables(tf.constant(query))
        assert tables.shape == (count, 256)
        found = codes.sums(tables, tf.constant([5, 399, 7]))
        expected = residuals[[5, 399, 7]] @ query
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_it_loses_least_where_queries_look():
    """By the metric of queries that see one of two directions alone."""
    random = np.random.default_rng(1)
    residuals = random.normal(size=(4000, 2)).astype(np.float32)
    query = np.array([1, 0], np.float32)
    losses = []
    for seen in (1.0, 100.0):
        metric = np.diag([seen, 1.0]).astype(np.float32)
        codes = retrieval.ResidualCodes(residuals, metric, 1)
        tables = codes.tables(tf.constant(query))
        found = codes.sums(tables, tf.range(4000))
        losses.append(np.std(found - residuals @ query))
    assert losses[1] < losses[0] / 5


@pytest.mark.parametrize("count", [0, 3])
def test_wrong_numbers_of_bytes(count):
    vectors = np.eye(2, dtype=np.float32)
    with pytest.raises(ValueError, match=rf"from 1 to 2.*codes={count}"):
        retrieval.ResidualCodes(vectors, vectors, count)
