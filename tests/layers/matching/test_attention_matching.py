"""AttentionMatching by hand."""

import numpy as np
import pytest

from tests.layers.matching import loops
from tfadrec.core.door import tf
from tfadrec.layers import AttentionMatching

# Two user vectors, u_1 = (log 3, 0) and u_2 = (0, log 2), a third is padding;
# one ad of v_1 = (1, 0) and v_2 = (0, 1), its third vector is padding.
#
# u_1: u_1.v_1 = log 3, u_1.v_2 = 0, so alpha_1 = (3, 1) / 4,
#      w_1 = 3/4 v_1 + 1/4 v_2 = (3/4, 1/4), c_1 = u_1.w_1 = 3/4 log 3.
# u_2: u_2.v_1 = 0, u_2.v_2 = log 2, so alpha_2 = (1, 2) / 3,
#      w_2 = (1/3, 2/3), c_2 = u_2.w_2 = 2/3 log 2.
LOG2, LOG3 = np.log(2.0), np.log(3.0)
INPUTS = {
    "user": tf.constant([[[LOG3, 0], [0, LOG2], [7, 7]]], tf.float32),
    "user_mask": tf.constant([[True, True, False]]),
    "ad": tf.constant([[[[1, 0], [0, 1], [5, 5]]]], tf.float32),
    "ad_mask": tf.constant([[[True, True, False]]]),
}
C1, C2 = 0.75 * LOG3, 2 / 3 * LOG2


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", (C1 + C2) / 2), ("sum", C1 + C2), ("max", max(C1, C2))],
)
def test_by_hand(pooling, expected):
    scores, alpha = AttentionMatching(pooling)(INPUTS, return_weights=True)
    np.testing.assert_allclose(scores, [[expected]], rtol=1e-6)
    np.testing.assert_allclose(
        alpha[:, :, :2],
        [[[[3 / 4, 1 / 4, 0], [1 / 3, 2 / 3, 0]]]],
        rtol=1e-6,
    )


def test_the_largest_of_negative_matches():
    # One ad vector: alpha = 1 and c_i = u_i.v, here -1 and -2; padding, which
    # would score 0, must not win.
    inputs = {
        "user": tf.constant([[[-1.0], [-2.0], [0.0]]]),
        "user_mask": tf.constant([[True, True, False]]),
        "ad": tf.constant([[[[1.0]]]]),
    }
    np.testing.assert_allclose(AttentionMatching("max")(inputs), [[-1]])


@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
def test_nothing_real_scores_zero(pooling):
    layer = AttentionMatching(pooling)
    no_user = {**INPUTS, "user_mask": tf.zeros([1, 3], tf.bool)}
    no_ad = {**INPUTS, "ad_mask": tf.zeros([1, 1, 3], tf.bool)}
    for inputs in (no_user, no_ad):
        np.testing.assert_array_equal(layer(inputs), [[0]])


def test_an_unknown_pooling():
    with pytest.raises(ValueError, match=r"mean, sum, max\. Received: .*'min'"):
        AttentionMatching("min")


@pytest.mark.parametrize("scaled", [False, True])
def test_projected_heads(scaled):
    layer = AttentionMatching(scaled=scaled, projection=3, num_heads=2)
    arrays = loops.inputs()
    layer(loops.tensors(arrays))
    kernels = {
        variable.name.split("/")[1]: variable for variable in layer.weights
    }
    user_kernel, ad_kernel = (kernels[name].numpy() for name in ("user", "ad"))
    scores, weights = 0, 0
    for head in range(2):
        share = slice(3 * head, 3 * head + 3)
        found = loops.attention_scores(
            arrays,
            lambda u, v, share=share: (
                ((u @ user_kernel[:, share]) @ (v @ ad_kernel[:, share]))
                / (np.sqrt(3) if scaled else 1)
            ),
        )
        scores, weights = scores + found[0] / 2, weights + found[1] / 2
    found = layer(loops.tensors(arrays), return_weights=True)
    np.testing.assert_allclose(found[0], scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], weights, rtol=1e-4, atol=1e-5)


def test_scaling_without_a_projection():
    arrays = loops.inputs()
    expected, _ = loops.attention_scores(arrays, lambda u, v: u @ v / 2)
    found = AttentionMatching(scaled=True)(loops.tensors(arrays))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0, "projection": 2}, r"must be >= 1.*num_heads=0"),
        ({"projection": 0}, r"must be >= 1.*projection=0"),
        ({"num_heads": 2}, r"need a `projection`.*num_heads=2"),
    ],
)
def test_bad_heads(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttentionMatching(**arguments)
