import numpy as np
import pytest

from tfadrec.layers import RatePath

FEATURES = [
    {"name": "ad_rate", "kind": "rate"},
    {"name": "shown", "kind": "count"},
    {"name": "user_rate", "kind": "rate"},
]


def test_rates_count_before_training_and_counts_do_not():
    columns = {
        "ad_rate": np.array([[1.0, -2.0]], np.float32),
        "shown": np.array([[5.0, 7.0]], np.float32),
        "user_rate": np.array([[0.5, np.nan]], np.float32),
    }
    path = RatePath(FEATURES, start=0.4)
    found = path(columns)
    np.testing.assert_allclose(found, [[0.6, -0.8]], rtol=1e-6)
    path.set_weights([np.array([1.0, 0.1, 2.0])])
    np.testing.assert_allclose(path(columns), [[2.5, -1.3]], rtol=1e-6)


@pytest.mark.parametrize("features", [[], [{"name": "x", "kind": "number"}]])
def test_other_features_are_refused(features):
    with pytest.raises(ValueError, match="of the kinds rate, count"):
        RatePath(features)
