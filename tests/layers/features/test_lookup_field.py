"""What a map has for a code, by hand."""

import numpy as np
import pytest

from tests.layers.features import specs
from tfadrec.core.door import tf

FEATURE = specs.spec("by_brand", "lookup", width=3, of=["brand"])


def test_columns():
    field, table = specs.make(FEATURE)
    assert table is None
    assert field.is_scalar
    assert field.columns(FEATURE) == {
        "by_brand_keys": ([3], "int32"),
        "by_brand_values": ([3], "float32"),
    }


@pytest.mark.parametrize(
    ("keys", "code", "expected"),
    [
        ([4, 2, 7], 2, 20),
        ([4, 2, 7], 7, 30),
        ([4, 2, 7], 5, np.nan),
        ([2, 2, 0], 2, 10),  # the first counts
        # Padding is no entry, and no code at all is no key.
        ([4, 0, 0], 0, np.nan),
        ([0, 0, 0], 0, np.nan),
        ([0, 0, 0], 3, np.nan),
    ],
)
def test_reads(keys, code, expected):
    field, _ = specs.make(FEATURE)
    found = field(
        {
            "by_brand_keys": tf.constant([keys]),
            "by_brand_values": tf.constant([[10.0, 20.0, 30.0]]),
            "brand": tf.constant([code]),
        }
    )
    np.testing.assert_array_equal(found, [expected])


def test_a_zero_in_the_map_is_no_missing_value():
    field, _ = specs.make(FEATURE)
    columns = {
        "by_brand_keys": tf.constant([[1, 0, 0]]),
        "by_brand_values": tf.constant([[0.0, 0.0, 0.0]]),
        "brand": tf.constant([1]),
    }
    assert float(field(columns)[0]) == 0


def test_a_users_map_is_read_for_each_candidate():
    field, _ = specs.make(FEATURE)
    found = field(
        {
            "by_brand_keys": tf.constant([[[1, 2, 0]], [[3, 0, 0]]]),
            "by_brand_values": tf.constant([[[5.0, 6.0, 0]], [[7.0, 0, 0]]]),
            "brand": tf.constant([[2, 1, 3], [1, 3, 0]]),
        }
    )
    nan = np.nan
    np.testing.assert_array_equal(found, [[6, 5, nan], [nan, 7, nan]])
