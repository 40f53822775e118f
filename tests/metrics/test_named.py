"""Metrics by name."""

import pytest

from tfadrec import metrics
from tfadrec.core.errors import InputError


@pytest.mark.parametrize("name", ["auc", "AUC"])
def test_the_auc_of_logits(name):
    metric = metrics.from_name(name)
    assert type(metric) is metrics.AUC
    assert metric is not metrics.from_name(name)


@pytest.mark.parametrize("name", ["accuracy", "acc", "AUC_1", "", None, 3])
def test_others_are_refused_with_what_to_use(name):
    with pytest.raises(InputError, match="has a name here is 'auc'") as error:
        metrics.from_name(name)
    assert f"Received: {name!r}." in str(error.value)
    assert "tfadrec.metrics.AUC()" in str(error.value)
    assert "BinaryAccuracy(threshold=0.0)" in str(error.value)


def test_the_accuracy_that_is_advised_is_that_of_logits():
    from tfadrec.core.door import keras

    metric = keras.metrics.BinaryAccuracy(threshold=0.0)
    metric.update_state([[1], [0], [1]], [[0.2], [-0.1], [-3.0]])
    assert float(metric.result()) == pytest.approx(2 / 3)


def test_another_attribute_is_missing():
    with pytest.raises(AttributeError, match="has no attribute 'Auc'"):
        _ = metrics.Auc
