"""Three states of a gate, by where the interval lies."""

import pytest

from tfadrec.core.errors import InputError
from tfadrec.evaluation import Difference, gate


def found(low, high, metric="auc", part="all", detectable=0.02):
    value = (low + high) / 2
    nan = float("nan")
    return Difference(
        *("new", "live", "clicked", part, metric, 0.7 + value, 0.7),
        *(low, high, 0.01, nan, 0.5, 0.5, detectable, "user", part),
    )


@pytest.mark.parametrize(
    ("low", "high", "metric", "state"),
    [
        (-0.0009, 0.01, "auc", "held"),
        (-0.002, 0.01, "auc", "open"),
        (-0.002, -0.0005, "auc", "open"),
        (-0.005, -0.002, "auc", "lost"),
        (-0.005, 0.0009, "log_loss", "held"),
        (-0.005, 0.002, "log_loss", "open"),
        (0.002, 0.005, "log_loss", "lost"),
        (float("nan"), float("nan"), "auc", "open"),
    ],
)
def test_states(low, high, metric, state):
    (result,) = gate([found(low, high, metric)], 0.001, metric=metric)
    assert result.state == state
    assert result.to_dict()["state"] == state
    assert result.line.startswith(
        f"Gate {state}: new must not lose 0.001 of clicked {metric}, all; "
    )
    told = "These rows tell differences of 0.0200." in result.line
    assert told == (state == "open")


def test_parts():
    both = [found(0, 1), found(-1, 1, part="cold_ads")]
    results = gate(both, 0.0, parts=["cold_ads", "all"])
    assert [r.state for r in results] == ["open", "held"]


@pytest.mark.parametrize(
    ("margin", "changed", "message"),
    [
        (-1, {}, "a number >= 0. Received: -1"),
        (float("nan"), {}, "a number >= 0. Received: nan"),
        (0, {"parts": ["warm"]}, "auc in 'warm'; compared were auc in all"),
        (0, {"metric": "rmse"}, "rmse in 'all'; compared were auc in all"),
    ],
)
def test_wrong_gates(margin, changed, message):
    with pytest.raises(InputError, match=message):
        gate([found(0, 1)], margin, **changed)
