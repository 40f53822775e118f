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


def test_zero_vectors_in_value_and_gradient():
    ad = tf.zeros([1, 1, 1, 2])
    with tf.GradientTape() as tape:
        tape.watch(ad)
        inputs = {
            "user": tf.constant([[[3.0, 4.0]]]),
            "user_mask": tf.constant([[True]]),
            "ad": ad,
        }
        score = CosineMatching()(inputs)
    np.testing.assert_array_equal(score, [[0]])
    assert np.isfinite(tape.gradient(score, ad)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "median"}, r"mean, sum, max. Received.*'median'"),
        ({"temperature": 0.0}, r"`temperature` must be > 0. Received: 0.0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CosineMatching(**arguments)
