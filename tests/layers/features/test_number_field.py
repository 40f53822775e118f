"""A number as it is."""

import numpy as np

from tests.layers.features import specs
from tfadrec.core.door import tf


def test_a_number_as_it_is():
    field, table = specs.make(specs.spec("price", "number"))
    assert field.columns(field.feature) == {"price": ([], "float32")}
    assert field.is_scalar
    assert table is None
    values = [[0.5, np.nan], [-3, 0]]
    found = field({"price": tf.constant(values, tf.float32)})
    np.testing.assert_array_equal(found, values)
    assert field.weights == []


def test_it_stays_in_float32():
    feature = specs.spec("price", "number")
    field = type(specs.make(feature)[0])(feature, 2, dtype="mixed_bfloat16")
    value = np.float32(1.2345678)  # bfloat16 has 8 bits of it
    assert field({"price": tf.constant([value])})[0] == value
