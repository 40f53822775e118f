"""Found rows, against a sort of all inner products in NumPy."""

import types

import numpy as np
import pytest

from tfadrec import retrieval
from tfadrec.core.door import tf

ROWS, WIDTH, LISTS = 600, 5, 12


def made(with_lists, probes=LISTS):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(ROWS + 1, WIDTH)).astype(np.float32)
    vectors[0] = 100  # of the unknown row, which is never found
    columns = {
        "brand": random.integers(0, 4, ROWS + 1).astype(np.int32),
        "shop": random.integers(0, 3, ROWS + 1).astype(np.int32),
    }
    lists = {}
    if with_lists:
        centroids = retrieval.k_means(vectors[1:], LISTS)
        lists["centroids"] = centroids
        lists["lists"] = retrieval.assign(vectors, centroids)
        lists["probes"] = probes
    return types.SimpleNamespace(
        index=retrieval.VectorIndex(vectors, columns=columns, **lists),
        vectors=vectors,
        columns=columns,
        queries=random.normal(size=(3, WIDTH)).astype(np.float32),
        **lists,
    )


def expected(queries, vectors, k, fit):
    """Rows and scores; `fit` is bool [B, N + 1]."""
    scores = np.where(fit, queries @ vectors.T, -np.inf)
    scores[:, 0] = -np.inf
    order = np.argsort(-scores, axis=1)[:, :k]
    found = np.take_along_axis(scores, order, 1)
    return np.where(found > -np.inf, order, 0), found


def check(index, queries, k, wanted, **arguments):
    rows, scores = index.search(tf.constant(queries), k, **arguments)
    np.testing.assert_array_equal(rows, wanted[0])
    np.testing.assert_allclose(scores, wanted[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("with_lists", [False, True])
def test_all_that_is_asked_for(with_lists):
    """Exclusions, filters by two columns, and no more than there are."""
    world = made(with_lists)
    anything = np.ones([3, ROWS + 1], bool)
    best = expected(world.queries, world.vectors, 40, anything)
    check(world.index, world.queries, 40, best)
    fit = anything.copy()
    without = best[0][:, [0, 3, 39]]
    np.put_along_axis(fit, without, False, 1)
    wanted = expected(world.queries, world.vectors, 10, fit)
    check(
        world.index,
        world.queries,
        10,
        wanted,
        without=tf.constant(without, tf.int32),
    )
    # The first allows anything, the second two brands of one shop, the third a
    # value that is unknown.
    allowed = {
        "brand": tf.constant([[-1, -1], [3, 1], [0, -1]]),
        "shop": tf.constant([[-1], [2], [-1]]),
    }
    fit = anything.copy()
    fit[1] = np.isin(world.columns["brand"], [1, 3])
    fit[1] &= world.columns["shop"] == 2
    fit[2] = False
    k = int(fit[1].sum()) + 5
    wanted = expected(world.queries, world.vectors, k, fit)
    assert (wanted[0][1] == 0).sum() >= 5
    assert not wanted[0][2].any()
    check(world.index, world.queries, k, wanted, allowed=allowed)


@pytest.mark.parametrize("with_lists", [False, True])
def test_rows_come_and_go(with_lists):
    world = made(with_lists)
    best = expected(
        world.queries, world.vectors, 9, np.ones([3, ROWS + 1], bool)
    )
    gone, changed = best[0][:, 0], best[0][:, 1]
    world.index.remove(gone)
    new = np.array([ROWS + 1, ROWS + 2], np.int32)
    for factor in (0.1, 2.0):  # put twice: only the last counts
        rows = np.unique(np.concatenate([changed, new]))
        some = np.random.default_rng(1).normal(size=(len(rows), WIDTH))
        some = (factor * some).astype(np.float32)
        codes = {name: np.full(len(rows), 9, np.int32) for name in "bs"}
        codes = {"brand": codes["b"], "shop": codes["s"]}
        world.index.put(rows, some, codes)
    vectors = np.pad(world.vectors, [(0, 2), (0, 0)])
    vectors[rows] = some
    fit = np.ones([3, ROWS + 3], bool)
    fit[:, gone] = np.isin(gone, rows)
    check(
        world.index,
        world.queries,
        30,
        expected(world.queries, vectors, 30, fit),
    )
    fit = np.zeros([3, ROWS + 3], bool)
    fit[:, rows] = True
    check(
        world.index,
        world.queries,
        8,
        expected(world.queries, vectors, 8, fit),
        allowed={
            "brand": tf.constant([[9]] * 3),
            "shop": -tf.ones([3, 1], tf.int32),
        },
    )


@pytest.mark.parametrize("with_lists", [False, True])
def test_rows_that_are_put_behind(with_lists):
    world = made(with_lists)
    new = np.random.default_rng(1).normal(size=(2, WIDTH)).astype(np.float32)
    codes = {name: tf.constant([8, 9]) for name in world.columns}
    world.index.append(tf.constant([ROWS + 1, ROWS + 2]), new, codes)
    vectors = np.concatenate([world.vectors, new])
    fit = np.ones([3, ROWS + 3], bool)
    wanted = expected(world.queries, vectors, ROWS + 2, fit)
    check(world.index, world.queries, ROWS + 2, wanted)
    fit[:] = np.arange(ROWS + 3) == ROWS + 2
    check(
        world.index,
        world.queries,
        2,
        expected(world.queries, vectors, 2, fit),
        allowed={name: tf.constant([[9]] * 3) for name in world.columns},
    )


def test_a_query_reads_the_lists_nearest_to_it():
    world = made(True, probes=2)
    closeness = world.queries @ world.centroids.T
    read = np.argsort(-closeness, axis=1)[:, :2]
    fit = (world.lists[None, :, None] == read[:, None, :]).any(2)
    wanted = expected(world.queries, world.vectors, 15, fit)
    check(world.index, world.queries, 15, wanted)
    world.index.probes = LISTS
    fit[:] = True
    wanted = expected(world.queries, world.vectors, 15, fit)
    check(world.index, world.queries, 15, wanted)


def test_it_is_saved_with_rows_that_came_later(tmp_path):
    """A server's loader restores variables whose size has changed."""
    world = made(True)
    new = np.array([ROWS + 1], np.int32)
    codes = {name: np.ones(1, np.int32) for name in world.columns}
    world.index.put(new, 9 * world.queries[:1], codes)
    holder = tf.Module()
    holder.index = world.index
    holder.search = tf.function(
        lambda queries, k: dict(
            zip(("rows", "scores"), world.index.search(queries, k), strict=True)
        ),
        input_signature=[
            tf.TensorSpec([None, WIDTH], tf.float32, "queries"),
            tf.TensorSpec([], tf.int32, "k"),
        ],
    )
    tf.saved_model.save(
        holder, tmp_path, {"search": holder.search.get_concrete_function()}
    )
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        told = meta.signature_def["search"]
        rows = session.run(
            told.outputs["rows"].name,
            {
                told.inputs["queries"].name: world.queries,
                told.inputs["k"].name: 4,
            },
        )
    assert rows[0, 0] == new[0]
    np.testing.assert_array_equal(
        rows, world.index.search(tf.constant(world.queries), 4)[0]
    )
