"""Numbers and codes to traits, by axes that are given."""

import numpy as np
import pytest

from tfadrec.layers import Traits

FEATURES = [
    {"name": "brand", "kind": "category", "num_codes": 3},
    {"name": "tags", "kind": "categories", "num_codes": 3, "width": 2},
    {"name": "price", "kind": "number"},
]
COLUMNS = {
    "brand": np.array([[0, 1, 2]], np.int32),
    "tags": np.array([[[0, 0], [1, 0], [1, 2]]], np.int32),
    "price": np.array([[np.nan, 2.0, -1.0]], np.float32),
}


def test_traits_are_the_sum_of_what_features_say():
    layer = Traits(FEATURES, 2)
    assert not layer(COLUMNS).numpy().any()
    layer.start(
        {
            "brand": np.array([[0, 0], [1, 0], [0, 1]]),
            "tags": np.array([[0, 0], [10, 0], [0, 20]]),
            "price": np.array([[100, 0]]),
        }
    )
    expected = [[[0, 0], [1 + 10 + 200, 0], [5 - 100, 1 + 10]]]
    np.testing.assert_allclose(layer(COLUMNS), expected)
    assert not layer.trainable_weights


@pytest.mark.parametrize(
    "features",
    [
        [],
        [{"name": "v", "kind": "vector", "width": 3, "num_codes": 0}],
        [{"name": "c", "kind": "cross", "of": ["a", "b"], "num_codes": 5}],
    ],
)
def test_other_features_are_refused(features):
    with pytest.raises(ValueError, match="numbers or have codes"):
        Traits(features, 2)


def test_no_width_is_refused():
    with pytest.raises(ValueError, match="`width` must be >= 1"):
        Traits(FEATURES, 0)
