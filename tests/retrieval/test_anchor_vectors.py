"""Vectors by what is known of users and ads."""

import numpy as np

from tfadrec.retrieval import AnchorVectors, KnownUsers

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(5, 3, (20, 7)).astype(np.float32)


def known(users=6):
    return KnownUsers(
        RANDOM.normal(2, 3, (users, 8)).astype(np.float32),
        RANDOM.normal(1, 2, (users, 4, 5)).astype(np.float32),
        np.arange(4) < np.arange(users)[:, None],
    )


def vectors_of(users):
    return AnchorVectors(np.arange(1, 9), users, FEATURES, width=3, seed=1)


def test_inner_products_are_in_the_order_of_the_scores():
    users = known()
    vectors = vectors_of(users)
    scores = vectors.score(users, FEATURES).numpy()
    products = vectors.users(users).numpy() @ vectors.ads(FEATURES).numpy().T
    gaps = scores - products
    np.testing.assert_allclose(gaps, gaps[:, :1] + 0 * gaps, atol=1e-5)
    assert gaps[:, 0].std() > 0.1


def test_a_user_without_a_history_is_what_is_said_of_the_anchors():
    """And padding may hold anything."""
    users = known()
    vectors = vectors_of(users)
    expected = vectors.users(users).numpy()
    empty = ~users.mask.any(axis=1)
    assert empty.sum() == 1
    events = np.where(users.mask[..., None], users.events, np.nan)
    found = vectors.users(users._replace(events=events)).numpy()
    np.testing.assert_array_equal(found, expected)
    other = vectors.users(users._replace(events=users.events + 1)).numpy()
    assert (np.abs(other - expected).max(axis=1) > 0.01).tolist() == list(
        ~empty
    )


def test_events_count_equally_however_many_they_are():
    users = known()
    vectors = vectors_of(users)
    expected = vectors.users(users).numpy()
    twice = users._replace(
        events=np.concatenate([users.events] * 2, axis=1),
        mask=np.concatenate([users.mask] * 2, axis=1),
    )
    np.testing.assert_allclose(
        vectors.users(twice).numpy(), expected, atol=1e-5
    )


def test_nobody_may_have_a_history():
    users = known()
    users = users._replace(mask=np.zeros_like(users.mask))
    found = vectors_of(users).users(users).numpy()
    assert np.isfinite(found).all()
    assert len(np.unique(found[:, 0])) == len(found)


def test_levels_are_beside_the_mean_of_the_anchors():
    users = known()
    vectors = vectors_of(users)
    said = users.said - users.said.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        vectors.levels(users.said, users.said).numpy(),
        said / said.std(),
        rtol=1e-4,
        atol=1e-5,
    )
