"""MultiHeadAttention against a NumPy loop over queries and heads."""

import numpy as np
import pytest

from tests.layers.behavior import reference
from tfadrec.core.door import tf
from tfadrec.layers.behavior.multi_head_attention import MultiHeadAttention

B, Q, T, D = 2, 3, 5, 6


def random_inputs():
    random = np.random.default_rng(1)
    mask = random.random((B, Q, T)) < 0.6
    mask[1, 2] = False
    return {
        "query": random.normal(size=(B, Q, D)).astype(np.float32),
        "context": random.normal(size=(B, T, D)).astype(np.float32),
        "mask": mask,
    }


def tensors(inputs):
    return {name: tf.constant(value) for name, value in inputs.items()}


@pytest.mark.parametrize("num_heads", [1, 2, 3])
@pytest.mark.parametrize("include_self", [False, True])
def test_every_query_over_what_it_sees(num_heads, include_self):
    inputs = random_inputs()
    layer = MultiHeadAttention(num_heads)
    layer(tensors(inputs))
    weights = reference.fill(layer)
    outputs = layer(tensors(inputs), include_self=include_self)
    for b, q in np.ndindex(B, Q):
        query = inputs["query"][b, q]
        seen = [*inputs["context"][b, inputs["mask"][b, q]]]
        seen += [query] if include_self else []
        expected = reference.attend(query, seen, weights, num_heads)
        np.testing.assert_allclose(
            outputs[b, q], expected, rtol=1e-4, atol=1e-5
        )


def test_chosen_vectors():
    inputs = random_inputs()
    inputs["chosen"] = np.random.default_rng(2).integers(0, T, (B, Q, 4))
    inputs["mask"] = inputs["mask"][:, :, :4]
    layer = MultiHeadAttention(2)
    layer(tensors(inputs))
    weights = reference.fill(layer)
    outputs = layer(tensors(inputs))
    for b, q in np.ndindex(B, Q):
        real = inputs["mask"][b, q]
        expected = reference.attend(
            inputs["query"][b, q],
            inputs["context"][b, inputs["chosen"][b, q, real]],
            weights,
            2,
        )
        np.testing.assert_allclose(
            outputs[b, q], expected, rtol=1e-4, atol=1e-5
        )


def test_heads_have_to_share_out_the_width():
    layer = MultiHeadAttention(4)
    with pytest.raises(
        ValueError, match=r"divide the width.*Received: num_heads=4, width=6\."
    ):
        layer(tensors(random_inputs()))


def test_bad_num_heads():
    with pytest.raises(ValueError, match=r">= 1\. Received: num_heads=0\."):
        MultiHeadAttention(0)
