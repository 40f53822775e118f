"""FinalMLP against its formula, candidate by candidate."""

import numpy as np
import pytest

from tests.layers.interaction.weights import filled, normal, relu, sigmoid
from tfadrec.layers import FinalMLP


def test_the_formula():
    layer = FinalMLP((7, 6), num_heads=2)
    w = filled(layer, [1, 5])
    x = normal(2, 3, 5)
    expected = np.zeros([2, 3, 2])
    for place in np.ndindex(2, 3):
        outputs = {}
        gates = {
            "first": w["first_gate"],
            "second": x[place] @ w["second_gate/kernel"]
            + w["second_gate/bias"],
        }
        for name, gate in gates.items():
            hidden = 2 * sigmoid(gate) * x[place]
            for i in range(2):
                kernel = w[f"{name}_hidden_{i}/kernel"]
                hidden = relu(hidden @ kernel + w[f"{name}_hidden_{i}/bias"])
            outputs[name] = hidden
        for head in range(2):
            share = slice(3 * head, 3 * head + 3)
            one, two = outputs["first"][share], outputs["second"][share]
            expected[place][head] = (
                one @ w["first_linear"][head]
                + two @ w["second_linear"][head]
                + one @ w["bilinear"][head] @ two
                + w["bias"][head]
            )
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hidden_units", [(), (4, 0)])
def test_bad_widths(hidden_units):
    with pytest.raises(ValueError, match=r"widths >= 1.*Received: hidden_un"):
        FinalMLP(hidden_units)


@pytest.mark.parametrize("num_heads", [0, 3])
def test_heads_that_do_not_divide(num_heads):
    with pytest.raises(ValueError, match=r"divide the last.*Received: num_h"):
        FinalMLP((8,), num_heads=num_heads)
