"""What models choose in requests of a few rows, by hand."""

import numpy as np
import pytest

from tests.evaluation import rows
from tfadrec.core.errors import InputError
from tfadrec.evaluation import choices, choices_text, measure

VECTORS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


def world(**columns):
    """Two requests of ads 1 and 2, 3 and 4; a history of ad 1."""
    dataset = rows.dataset(
        [1, 2, 3, 4],
        [1, 0, 0, 1],
        events=[1],
        starts=[0] * 4,
        ends=[1] * 4,
        labels={
            "converted": [1, 0, 0, 0],
            "revenue": [6, 0, 0, 2],
            "spent": [1, 2, 3, 4],
        },
        **columns,
    )
    dataset.impressions.requests[:] = [0, 0, 1, 1]
    return dataset


def model(dataset, scores):
    return measure({"clicked": np.array(scores, float)}, dataset)


def test_by_hand():
    dataset = world(vectors=VECTORS)
    models = {"good": model(dataset, [1, 0, 0, 1])}
    found = choices(models, dataset, dataset, revenue="revenue", cost="spent")
    assert list(found) == ["log", "good"]
    assert found["good"] == {
        "ctr@1": 1.0,
        "cvr@1": 0.5,
        "revenue@1": 4.0,
        "cost@1": 2.5,
        "roi@1": pytest.approx(8 / 5 - 1),
        "coverage@1": 0.5,
        "gini@1": 0.5,
        "diversity@1": 0.5,
        "aqm@1": found["good"]["aqm@1"],
        # Both logits are 1, and both are clicked.
        "calibration@1": pytest.approx(1 / (1 + np.exp(-1)), rel=1e-6),
    }
    assert np.isnan(found["log"]["calibration@1"])
    assert found["log"]["ctr@1"] == 0.5
    assert found["log"]["revenue@1"] == 2.0
    assert found["log"]["gini@1"] == pytest.approx(0)
    # The vectors' mean is 0. Ad 1 is the history: relevance 1; ad 4: 1/2. With
    # (c + 10 p) / (n + 10), p = 1/2, both have the rate 6/11, so
    # attractiveness is (6/11) / (6/11 + 1/2) = 12/23.
    expected = (np.sqrt(12 / 23) + np.sqrt(0.5 * 12 / 23)) / 2
    assert found["good"]["aqm@1"] == pytest.approx(expected)
    text = choices_text(found)
    assert text.splitlines()[2].startswith("good ")
    whole = choices(models, dataset, dataset, relevance_weight=1.0)
    assert whole["good"]["aqm@1"] == pytest.approx(0.75)


def test_the_best_of_many_is_overrated():
    """A model that is right on average, with noise that the choice looks for.

    Truth and noise are N(0, 1); of ten ads the one with the largest sum is
    chosen, half of whose lead is noise.
    """
    rng = np.random.default_rng(0)
    requests = np.repeat(np.arange(3000), 10)
    truth, noise = rng.normal(size=(2, len(requests)))
    clicked = rng.random(len(requests)) < 1 / (1 + np.exp(1 - truth))
    dataset = rows.dataset(rng.integers(1, 5, len(requests)), clicked)
    dataset.impressions.requests[:] = requests
    models = {
        "noisy": model(dataset, truth + noise - 1),
        "right": model(dataset, truth - 1),
    }
    found = choices(models, dataset, dataset)
    assert found["right"]["calibration@1"] == pytest.approx(1, abs=0.03)
    assert found["noisy"]["calibration@1"] > 1.3


def test_where_there_is_no_choice():
    dataset = world()
    models = {"good": model(dataset, [1, 0, 0, 1])}
    assert choices(models, dataset, dataset, k=2) == {}
    assert "aqm@1" not in choices(models, dataset, dataset)["good"]
    with pytest.raises(InputError, match="Received: 'profit', labels clicked"):
        choices(models, dataset, dataset, k=2, revenue="profit")
