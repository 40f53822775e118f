"""MMoE against its formulas, expert by expert and task by task."""

import numpy as np
import pytest

from tests.layers.multitask.reference import filled, network, softmax
from tfadrec.core.door import keras, tf
from tfadrec.layers import MMoE


def test_every_task_mixes_every_expert():
    layer = MMoE(2, num_experts=3, hidden_units=(6, 4))
    weights = filled(layer, 5)
    x = np.random.default_rng(3).normal(size=(4, 2, 5)).astype(np.float32)
    found = layer(x).numpy()
    assert found.shape == (4, 2, 2, 4)
    for place in np.ndindex(4, 2):
        experts = [
            network(weights, "experts", 0, e, x[place]) for e in range(3)
        ]
        for task in range(2):
            gate = softmax(x[place] @ weights["gates/kernel"][task])
            expected = sum(g * f for g, f in zip(gate, experts, strict=True))
            np.testing.assert_allclose(found[place][task], expected, rtol=1e-4)


def test_a_gate_that_is_sure_reads_one_expert():
    """With a gate's kernel of 100 at one expert, that expert's output."""
    layer = MMoE(2, num_experts=2, hidden_units=(1,))
    filled(layer, 1)
    gates = np.array([[[100, 0]], [[0, 100]]], np.float32)  # [K, F, E]
    for variable in layer.weights:
        if "gates" in variable.name:
            variable.assign(gates)
        elif "kernel" in variable.name:
            variable.assign([[[[2.0]], [[3.0]]]])
        else:
            variable.assign(tf.zeros_like(variable))
    # relu(2 * 5) for the first task and relu(3 * 5) for the second.
    np.testing.assert_allclose(layer(tf.constant([[5.0]])), [[[10], [15]]])


def test_each_expert_starts_as_a_layer_of_its_own():
    """The spread of the first values does not depend on how many there are."""
    keras.utils.set_random_seed(0)
    spreads = []
    for num_experts in (1, 16):
        layer = MMoE(2, num_experts=num_experts, hidden_units=(40,))
        layer(tf.zeros([1, 40]))
        kernel = next(v for v in layer.weights if "experts/kernel" in v.name)
        spreads.append(float(tf.math.reduce_std(kernel)))
    # Glorot's uniform on [-l, l], l = sqrt(6 / 80), deviates by l / sqrt(3).
    np.testing.assert_allclose(spreads, (6 / 80 / 3) ** 0.5, rtol=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_tasks": 0}, r"`num_tasks` must be >= 1\. Received: num_tasks=0"),
        ({"num_experts": 0}, r"Received: num_experts=0"),
        ({"hidden_units": ()}, r"at least one\. Received: hidden_units=\(\)"),
        ({"hidden_units": (8, 0)}, r"Received: hidden_units=\(8, 0\)"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MMoE(**{"num_tasks": 2, **arguments})
