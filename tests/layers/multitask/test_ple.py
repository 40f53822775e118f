"""PLE against its formulas, layer by layer and task by task."""

import numpy as np
import pytest

from tests.layers.multitask.reference import filled, network, softmax
from tfadrec.core.door import tf
from tfadrec.layers import PLE

K, SHARED, OWN = 3, 2, 1


def expected(weights, num_layers, x):
    """Each task's vector for one input [F]."""
    inputs = [x] * (K + 1)  # of the tasks, and the shared one
    for j in range(num_layers):
        part = {
            path.removeprefix(f"layer_{j}/"): value
            for path, value in weights.items()
            if path.startswith(f"layer_{j}/")
        }
        own = [
            [network(part, "task_experts", k, m, inputs[k]) for m in range(OWN)]
            for k in range(K)
        ]
        shared = [
            network(part, "shared_experts", 0, s, inputs[K])
            for s in range(SHARED)
        ]
        outputs = []
        for k in range(K):
            gate = softmax(inputs[k] @ part["task_gates/kernel"][k])
            mixed = zip(gate, own[k] + shared, strict=True)
            outputs.append(sum(g * e for g, e in mixed))
        if j < num_layers - 1:
            gate = softmax(inputs[K] @ part["shared_gate/kernel"][0])
            every = [expert for group in own for expert in group] + shared
            mixed = zip(gate, every, strict=True)
            outputs.append(sum(g * e for g, e in mixed))
        inputs = outputs
    return np.stack(inputs)


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_progressive_extraction(num_layers):
    layer = PLE(
        K,
        num_shared_experts=SHARED,
        num_task_experts=OWN,
        num_layers=num_layers,
        hidden_units=(6, 4),
    )
    weights = filled(layer, 5)
    x = np.random.default_rng(3).normal(size=(3, 2, 5)).astype(np.float32)
    found = layer(x).numpy()
    assert found.shape == (3, 2, K, 4)
    for place in np.ndindex(3, 2):
        np.testing.assert_allclose(
            found[place],
            expected(weights, num_layers, x[place]),
            rtol=1e-4,
            atol=1e-5,
        )


def test_a_task_has_what_no_other_pulls_at():
    """Own experts of a last layer get gradients from their task alone."""
    layer = PLE(2, num_layers=1, hidden_units=(4,))
    filled(layer, 5)
    own = next(v for v in layer.weights if "task_experts/kernel" in v.name)
    shared = next(v for v in layer.weights if "shared_experts/kernel" in v.name)
    with tf.GradientTape() as tape:
        first = tf.reduce_sum(layer(tf.ones([3, 5]))[:, 0])
    own, shared = (np.abs(g) for g in tape.gradient(first, [own, shared]))
    assert own[0].max() > 0
    assert own[1].max() == 0
    assert shared.max() > 0


@pytest.mark.parametrize(
    "name",
    ["num_tasks", "num_shared_experts", "num_task_experts", "num_layers"],
)
def test_bad_sizes(name):
    with pytest.raises(
        ValueError, match=rf"`{name}` must be >= 1\. Received: {name}=0"
    ):
        PLE(**{"num_tasks": 2, name: 0})


@pytest.mark.parametrize("hidden_units", [(), (8, 0)])
def test_bad_widths(hidden_units):
    with pytest.raises(ValueError, match=r"widths >= 1.*Received: hidden_un"):
        PLE(2, hidden_units=hidden_units)
