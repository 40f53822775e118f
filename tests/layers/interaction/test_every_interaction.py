"""What the folder promises of every interaction layer."""

import numpy as np
import pytest

from tests.cases.interaction import CASES
from tfadrec.core.door import tf

TAKERS = [name for name in CASES if name != "CTRHead"]


@pytest.mark.parametrize("name", TAKERS)
def test_what_it_takes(name):
    case = CASES[name]
    free_axes = case.specs.shape.rank - 2
    takes = case.make().takes
    assert {"features": 1, "fields": 2}[takes] == free_axes


@pytest.mark.parametrize("name", CASES)
def test_leading_axes_are_free(name):
    case = CASES[name]
    inputs = case.inputs(6, 4)  # [6, 4, ...]
    own = inputs.shape[2:]
    layer = case.make()
    expected = layer(inputs.reshape(24, *own))
    for leading in ((6, 4), (3, 2, 4), (3, 1, 2, 4)):
        spec = tf.TensorSpec([*[None] * len(leading), *own])
        function = tf.function(
            lambda inputs: layer(inputs), input_signature=[spec]
        )
        outputs = function(inputs.reshape(*leading, *own))
        assert tuple(outputs.shape) == (*leading, *expected.shape[1:])
        np.testing.assert_allclose(
            tf.reshape(outputs, expected.shape), expected, rtol=1e-4, atol=1e-5
        )
        if name in TAKERS:
            graph = function.get_concrete_function()
            width = graph.structured_outputs.shape[-1]
            assert width == expected.shape[-1]
