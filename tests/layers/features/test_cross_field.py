"""Crosses against hashes in Python's integers."""

import numpy as np
import pytest

from tests.layers.features import specs
from tfadrec.core.door import tf

PRIME = 0x9E3779B97F4A7C15


def signed(x):
    x %= 2**64
    return x - 2**64 if x >= 2**63 else x


def bucket(codes, buckets):
    """See `ops.hashing.cross`: 64 bits that wrap around, signed shifts."""
    if 0 in codes:
        return 0
    mixed = 0
    for code in codes:
        mixed = signed((mixed ^ int(code)) * PRIME)
        mixed = signed(mixed ^ (mixed >> 29))
    return 1 + mixed % buckets


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("buckets", [1, 13, 10_000])
def test_the_row_is_that_of_the_hash(count, buckets):
    names = [f"c{i}" for i in range(count)]
    feature = specs.spec("both", "cross", num_codes=buckets + 1, of=names)
    field, _ = specs.make(feature)
    assert field.columns(feature) == {}
    table = specs.fill(field)
    codes = np.random.default_rng(0).integers(0, 9, (count, 200))
    codes[:, :3] = 2**31 - 1
    found = field(
        {n: tf.constant(c, tf.int32) for n, c in zip(names, codes, strict=True)}
    )
    rows = [bucket(column, buckets) for column in codes.T]
    np.testing.assert_array_equal(found, table[rows])
    known = (codes > 0).all(0)
    assert 20 < known.sum() < 190
    assert (np.array(rows)[known] > 0).all()


def test_the_order_matters_and_values_spread():
    """100 pairs in 10,000 buckets; 1 in 200 would share one by chance."""
    feature = specs.spec("both", "cross", num_codes=10_001, of=["a", "b"])
    field, _ = specs.make(feature)
    specs.fill(field)
    a, b = np.meshgrid(np.arange(1, 11), np.arange(1, 11))
    columns = {"a": tf.constant(a, tf.int32), "b": tf.constant(b, tf.int32)}
    rows = field(columns).numpy()[..., 0] / 10
    assert len(np.unique(rows)) > 95
    assert (rows != rows.T)[~np.eye(10, dtype=bool)].mean() > 0.9


def test_a_users_code_is_crossed_with_each_candidates():
    feature = specs.spec("both", "cross", num_codes=14, of=["user", "ad"])
    field, _ = specs.make(feature)
    table = specs.fill(field)
    found = field(
        {"user": tf.constant([[3], [0]]), "ad": tf.constant([[1, 2], [1, 2]])}
    )
    rows = [[bucket((3, 1), 13), bucket((3, 2), 13)], [0, 0]]
    np.testing.assert_array_equal(found, table[rows])
