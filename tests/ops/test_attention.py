"""Attention against NumPy loops that follow the formulas."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.ops import attention


def reference(user, ad, ad_mask):
    scores = np.zeros([*ad.shape[:2], user.shape[1]])
    alphas = np.zeros([*scores.shape, ad.shape[2]])
    for b, c, i in np.ndindex(*scores.shape):
        real = np.flatnonzero(ad_mask[b, c])
        if not len(real):
            continue
        u, v = user[b, i], ad[b, c, real]
        alpha = np.exp(v @ u) / np.exp(v @ u).sum()
        w = (alpha[:, None] * v).sum(axis=0)
        scores[b, c, i] = u @ w
        alphas[b, c, i, real] = alpha
    return scores, alphas


def random_inputs():
    random = np.random.default_rng(1)
    user = random.normal(size=(3, 4, 5)).astype(np.float32)
    ad = random.normal(size=(3, 2, 6, 5)).astype(np.float32)
    mask = random.random((3, 2, 6)) < 0.6
    mask[0, 0] = False
    return user, ad, mask


def test_scores_and_weights():
    user, ad, mask = random_inputs()
    scores, alpha = attention.match_scores(
        tf.constant(user), tf.constant(ad), tf.constant(mask)
    )
    expected_scores, expected_alpha = reference(user, ad, mask)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(alpha, expected_alpha, rtol=1e-4, atol=1e-6)
    assert scores.dtype == alpha.dtype == tf.float32


def test_without_a_mask_all_is_real():
    user, ad, mask = random_inputs()
    scores, alpha = attention.match_scores(tf.constant(user), tf.constant(ad))
    expected_scores, expected_alpha = reference(user, ad, np.ones_like(mask))
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(alpha, expected_alpha, rtol=1e-4, atol=1e-6)


def test_masked_nan_has_no_part():
    user, ad, mask = random_inputs()
    garbled = np.where(mask[..., None], ad, np.nan).astype(np.float32)
    scores, alpha = attention.match_scores(
        tf.constant(user), tf.constant(garbled), tf.constant(mask)
    )
    expected_scores, expected_alpha = reference(user, ad, mask)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(alpha, expected_alpha, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("has_own", [False, True])
def test_attending(has_own):
    random = np.random.default_rng(1)
    query, own_key, own_value = random.normal(size=(3, 2, 3, 4, 6))
    key, value = random.normal(size=(2, 2, 3, 5, 6))
    mask = random.random((2, 1, 4, 5)) < 0.6
    mask[0, 0, 1] = False
    own = (own_key, own_value) if has_own else None
    out = attention.attend(
        *(tf.constant(x, tf.float32) for x in (query, key, value)),
        tf.constant(mask),
        own and tuple(tf.constant(x, tf.float32) for x in own),
    )
    for b, h, q in np.ndindex(2, 3, 4):
        pairs = [
            (key[b, h, t], value[b, h, t])
            for t in np.flatnonzero(mask[b, 0, q])
        ]
        if has_own:
            pairs.append((own_key[b, h, q], own_value[b, h, q]))
        shares = [np.exp(query[b, h, q] @ k / np.sqrt(6)) for k, _ in pairs]
        expected = np.zeros(6)
        for share, (_, v) in zip(shares, pairs, strict=True):
            expected += share / sum(shares) * v
        np.testing.assert_allclose(out[b, h, q], expected, rtol=1e-4, atol=1e-5)


def test_attending_in_half_precision():
    # Logits of 3e4 and more: their difference decides, in float32.
    query = tf.constant([[[200.0]]], tf.float16)
    key = tf.constant([[[150.0], [149.0]]], tf.float16)
    mask = tf.constant([[[True, True]]])
    out = attention.attend(query, key, key, mask)
    assert out.dtype == tf.float16
    np.testing.assert_array_equal(out, [[[150]]])


def test_heads():
    vectors = tf.constant([[[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]])
    heads = attention.split_heads(vectors, 2)
    np.testing.assert_array_equal(
        heads, [[[[1, 2, 3], [7, 8, 9]], [[4, 5, 6], [10, 11, 12]]]]
    )
    np.testing.assert_array_equal(attention.join_heads(heads), vectors)
