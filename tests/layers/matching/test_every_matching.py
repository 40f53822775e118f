"""What the folder promises of every matching layer."""

import numpy as np
import pytest

from tests.cases.matching import CASES
from tests.layers.matching import loops
from tfadrec.core.door import tf


def matched(layer, arrays):
    """Scores [B, C], and the weights [..., C, N] of the real user vectors."""
    scores, weights = layer(loops.tensors(arrays), return_weights=True)
    assert scores.dtype == weights.dtype == tf.float32
    weights = np.swapaxes(weights, 1, 2)  # [B, T, C, N]
    return scores.numpy(), weights[arrays["user_mask"]]


@pytest.mark.parametrize("name", CASES)
def test_weights_are_shares_of_the_real(name):
    arrays = loops.inputs()
    _, weights = matched(CASES[name].make(), arrays)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    users, _ = np.nonzero(arrays["user_mask"])
    np.testing.assert_array_equal(weights[~arrays["ad_mask"][users]], 0)


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_ad_vectors(name):
    arrays = loops.inputs()
    layer = CASES[name].make()
    scores, weights = matched(layer, arrays)
    order = [2, 0, 1]
    shuffled = {
        **arrays,
        "ad": arrays["ad"][:, :, order],
        "ad_mask": arrays["ad_mask"][:, :, order],
    }
    found = matched(layer, shuffled)
    np.testing.assert_allclose(found[0], scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        found[1], weights[..., order], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", CASES)
def test_without_a_mask_all_is_real(name):
    arrays = loops.inputs()
    arrays["ad_mask"][:] = True
    layer = CASES[name].make()
    expected = matched(layer, arrays)
    del arrays["ad_mask"]
    for one, other in zip(matched(layer, arrays), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_padding_gets_no_gradient(name):
    arrays = loops.inputs()
    for key in ("user", "ad"):
        arrays[key][~arrays[f"{key}_mask"]] = np.nan
    inputs, layer = loops.tensors(arrays), CASES[name].make()
    with tf.GradientTape() as tape:
        tape.watch([inputs["user"], inputs["ad"]])
        score = tf.reduce_sum(layer(inputs))
    gradients = tape.gradient(score, {k: inputs[k] for k in ("user", "ad")})
    for key, gradient in gradients.items():
        real = arrays[f"{key}_mask"]
        assert np.isfinite(gradient).all()
        assert np.abs(gradient.numpy()[real]).max() > 0
        np.testing.assert_array_equal(gradient.numpy()[~real], 0)
