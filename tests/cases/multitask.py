"""Layers between features and the heads of several tasks."""

from tests.cases.arrays import D, normal, spec
from tests.conformance import Case
from tfadrec import layers


def features(batch, time):
    return normal(batch, time, D)


CASES = {
    "MMoE": Case(
        lambda **kwargs: layers.MMoE(
            3, num_experts=5, hidden_units=(7, 5), **kwargs
        ),
        features,
        spec(None, D),
    ),
    "PLE": Case(
        lambda **kwargs: layers.PLE(
            3,
            num_shared_experts=1,
            num_task_experts=3,
            num_layers=3,
            hidden_units=(7, 5),
            **kwargs,
        ),
        features,
        spec(None, D),
    ),
}
