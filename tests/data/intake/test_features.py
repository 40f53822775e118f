import pyarrow as pa
import pytest

from tfadrec.core.schema import Feature
from tfadrec.data.intake import features


def test_categorical_knows_every_value_sorted():
    assert features.categorical(
        "x", pa.array(["b", None, "a", "b"])
    ) == Feature("x", "categorical", vocabulary=("a", "b"))


@pytest.mark.parametrize(
    ("values", "mean", "std"),
    [
        ([1.0, 3.0, None], 2.0, 1.0),
        ([5.0, 5.0], 5.0, 1.0),
        ([None, None], 0.0, 1.0),
    ],
)
def test_numeric(values, mean, std):
    feature = features.numeric("x", pa.array(values, pa.float64()))
    assert feature == Feature("x", "numeric", mean=mean, std=std)
