"""CosineMatching against its formula."""

import numpy as np
import pytest

from tests.layers.matching import loops
from tfadrec.core.door import tf
from tfadrec.layers import CosineMatching


def cosine(u, v):
    length = np.linalg.norm(u) * np.linalg.norm(v)
    return u @ v / length if length else 0.0


def test_the_formula():
    arrays = loops.inputs()
    expected = loops.attention_scores(arrays, lambda u, v: cosine(u, v) / 0.5)
    layer = CosineMatching(temperature=0.5)
    found = layer(loops.tensors(arrays), return_weights=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("is_zero", ["user", "ad"])
def test_zero_vectors_in_value_and_gradient(is_zero):
    user, ad = tf.constant([[[3.0, 4.0]]]), tf.constant([[[[3.0, 4.0]]]])
    user, ad = (0 * user, ad) if is_zero == "user" else (user, 0 * ad)
    with tf.GradientTape() as tape:
        tape.watch([user, ad])
        inputs = {"user": user, "user_mask": tf.constant([[True]]), "ad": ad}
        score = CosineMatching()(inputs)
    np.testing.assert_array_equal(score, [[0]])
    for gradient in tape.gradient(score, [user, ad]):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_length_does_not_count(policy):
    # Both ads lie at the angle of 3:4 to the user: 0.6 / 0.5 each. The square
    # of the longer one's length is no number of half precision.
    inputs = {
        "user": tf.constant([[[2.0, 0.0]]]),
        "user_mask": tf.constant([[True]]),
        "ad": tf.constant([[[[0.03, 0.04]], [[300.0, 400.0]]]]),
    }
    scores = CosineMatching(temperature=0.5, dtype=policy)(inputs)
    rtol = 1e-5 if policy == "float32" else 2e-3
    np.testing.assert_allclose(scores, [[1.2, 1.2]], rtol=rtol)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "median"}, r"mean, sum, max. Received.*'median'"),
        ({"temperature": 0.0}, r"must be > 0\. Received: temperature=0\.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CosineMatching(**arguments)
