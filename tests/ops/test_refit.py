"""Corrected queries, against least squares with rows added in NumPy."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.ops.refit import refit

BATCH, COUNT, WIDTH = 4, 30, 6


def world():
    random = np.random.default_rng(0)
    # A mean of its own, and directions of unlike lengths.
    vectors = 3 + random.normal(size=(BATCH, COUNT, WIDTH)) * np.arange(1, 7)
    queries = random.normal(size=(BATCH, WIDTH))
    gaps = random.normal(size=(BATCH, COUNT))
    worth = 5 + 2 * np.einsum("bnd,bd->bn", vectors, queries) + 3 * gaps
    return queries, vectors, worth


def expected(query, vectors, worth):
    """Ridge regression as plain least squares with `WIDTH` rows more."""
    guess = (vectors @ np.atleast_2d(query).T).max(axis=1)
    vectors, worth = vectors - vectors.mean(0), worth - worth.mean()
    guess = guess - guess.mean()
    scale = max(0, worth @ guess / (guess @ guess))
    penalty = 0.1 * np.linalg.eigvalsh(vectors.T @ vectors).mean()
    more = np.concatenate([vectors, penalty**0.5 * np.eye(WIDTH)])
    gaps = np.concatenate([worth - scale * guess, np.zeros(WIDTH)])
    return scale * query + np.linalg.lstsq(more, gaps, rcond=None)[0]


def ask(queries, vectors, worth, is_there=None):
    if is_there is None:
        is_there = np.ones(worth.shape, bool)
    numbers = (tf.constant(v, tf.float32) for v in (queries, vectors, worth))
    return refit(*numbers, tf.constant(is_there)).numpy()


def test_it_is_ridge_regression_around_the_query():
    """Also of rows fewer than numbers, and whatever stands in empty places."""
    queries, vectors, worth = world()
    worth[2] *= -1  # the inner products are in the wrong order
    counts = [COUNT, 4, COUNT, 2]
    is_there = np.arange(COUNT) < np.array(counts)[:, None]
    wanted = [
        expected(q, v[:n], w[:n])
        for q, v, w, n in zip(queries, vectors, worth, counts, strict=True)
    ]
    vectors[~is_there] = 100
    worth[~is_there] = np.nan
    found = ask(queries, vectors, worth, is_there)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_several_vectors_of_a_query_are_corrected_alike():
    """What the best of them says of a row is what is corrected."""
    queries, vectors, _ = world()
    several = np.stack([queries, queries[::-1], -queries], axis=1)
    products = np.einsum("bnd,bkd->bnk", vectors, several)
    assert len(np.unique(products[0].argmax(axis=1))) > 1
    noise = np.random.default_rng(2).normal(size=(BATCH, COUNT))
    worth = 5 + 2 * products.max(axis=2) + 3 * noise
    wanted = [
        expected(*each) for each in zip(several, vectors, worth, strict=True)
    ]
    found = ask(several, vectors, worth)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)
    one = ask(several[:, :1], vectors, worth)
    np.testing.assert_array_equal(one[:, 0], ask(queries, vectors, worth))
    nothing = ask(several, vectors, worth, np.zeros(worth.shape, bool))
    np.testing.assert_array_equal(nothing, several.astype(np.float32))


def test_scale_and_constant_of_the_worth_change_no_order():
    queries, vectors, worth = world()
    found = ask(queries, vectors, worth)
    other = ask(queries, vectors, 7 * worth - 40)
    np.testing.assert_allclose(other, 7 * found, rtol=1e-3, atol=1e-3)


def test_it_is_nearer_to_the_truth():
    """Of worth that is an inner product with another vector."""
    queries, vectors, _ = world()
    truth = queries + np.random.default_rng(1).normal(size=queries.shape)
    found = ask(queries, vectors, np.einsum("bnd,bd->bn", vectors, truth))

    def cosine(some):
        length = np.linalg.norm(some, axis=1) * np.linalg.norm(truth, axis=1)
        return (some * truth).sum(axis=1) / length

    assert (cosine(found) > cosine(queries)).all()
    assert cosine(found).min() > 0.97


def test_a_query_stays_where_nothing_is_learned():
    queries, vectors, worth = world()
    nothing = np.zeros(worth.shape, bool)
    one = nothing.copy()
    one[:, 3] = True
    for is_there in (nothing, one):
        found = ask(queries, vectors, worth, is_there)
        np.testing.assert_array_equal(found, queries.astype(np.float32))
