"""What a ranker costs, and which limits that is over."""

import importlib

import pytest

from tests.training import small
from tfadrec.core.errors import InputError
from tfadrec.tuning import Budget


def test_the_cost_of_a_small_ranker(monkeypatch):
    run = small.run()
    budget = Budget(latency_ms=1e4, slate=3)
    monkeypatch.setattr(
        importlib.import_module("tfadrec.tuning.budget"), "_CALLS", 20
    )
    cost = budget.measure(run.ranker, run.dataset)
    arrays = [w.numpy() for w in run.ranker.weights]
    assert cost["parameters"] == sum(a.size for a in arrays)
    assert cost["size_bytes"] == sum(a.nbytes for a in arrays)
    assert 0 < cost["latency_ms"] < 1e4
    assert "latency_ms" not in Budget(parameters=1).measure(
        run.ranker, run.dataset
    )


def test_limits():
    cost = {"parameters": 10, "size_bytes": 40, "latency_ms": 2.5}
    assert Budget().exceeded(cost) is None
    assert Budget(2.5, 7, 40, 10).exceeded(cost) is None
    assert Budget(2, 7, 39, 10).exceeded(cost) == (
        "over the budget: latency_ms 2.5 > 2, size_bytes 40 > 39"
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"latency_ms": 0.0},
        {"latency_ms": float("nan")},
        {"parameters": 1.5},
        {"size_bytes": -1},
        {"slate": 0},
    ],
)
def test_bad_limits(limits):
    (name,) = limits
    with pytest.raises(InputError, match=f"`{name}` must be a number > 0"):
        Budget(**limits)
