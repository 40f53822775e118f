"""A given vector at unit length."""

import numpy as np

from tests.layers.features import specs
from tfadrec.core.door import tf


def test_unit_length_and_zeros():
    feature = specs.spec("image", "vector", width=2)
    field, _ = specs.make(feature, 7)
    assert field.columns(feature) == {"image": ([2], "float32")}
    assert field.is_projected
    assert field.size == 2
    vectors = tf.constant([[[3.0, 4.0]], [[0.0, 0.0]], [[0.0, -9.0]]])
    found = field({"image": vectors})
    expected = [[[0.6, 0.8]], [[0, 0]], [[0, -1]]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(field.missing, [0, 0])
