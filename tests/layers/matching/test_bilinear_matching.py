"""BilinearMatching against its formula."""

import numpy as np
import pytest

from tests.layers.matching import loops
from tfadrec.layers import AttentionMatching, BilinearMatching


def test_the_formula():
    layer = BilinearMatching()
    arrays = loops.inputs()
    layer(loops.tensors(arrays))
    kernel = np.random.default_rng(0).normal(size=(loops.D, loops.D))
    layer.set_weights([kernel])
    expected = loops.attention_scores(arrays, lambda u, v: u @ kernel @ v)
    found = layer(loops.tensors(arrays), return_weights=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_exact_form_at_first():
    inputs = loops.tensors(loops.inputs())
    np.testing.assert_allclose(
        BilinearMatching("max")(inputs),
        AttentionMatching("max")(inputs),
        rtol=1e-5,
    )


def test_an_unknown_pooling():
    with pytest.raises(ValueError, match=r"mean, sum, max. Received.*'median'"):
        BilinearMatching("median")
