"""Match scores against NumPy loops that follow the formulas."""

import numpy as np

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
