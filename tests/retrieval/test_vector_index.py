"""Found rows, against a sort of all inner products in NumPy."""

import types

import numpy as np
import pytest

from tests.retrieval.test_build_index import clustered
from tfadrec import retrieval
from tfadrec.core.door import tf

ROWS, WIDTH, LISTS = 600, 5, 12


def made(with_lists, probes=LISTS, until=None):
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
        index=retrieval.VectorIndex(
            vectors, columns=columns, until=until, **lists
        ),
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
def test_rows_are_found_until_a_moment(with_lists):
    """Of each query's own: listed rows and later ones, with a filter or not.

    A third expires at 100 and a third at 200; what was removed is closed at any
    time, and is back once it is put.
    """
    random = np.random.default_rng(4)
    until = random.choice([100, 200, retrieval.FOREVER], ROWS + 1)
    world = made(with_lists, until=until)
    new = np.arange(ROWS - 50, ROWS + 31)
    vectors = np.pad(world.vectors, [(0, 30), (0, 0)])
    vectors[new] = random.normal(size=(len(new), WIDTH))
    until = np.pad(until, (0, 30))
    until[new] = random.choice([100, 200], len(new))
    brand = np.pad(world.columns["brand"], (0, 30))
    brand[new] = 3
    codes = {"brand": brand[new], "shop": np.ones(len(new), np.int32)}
    world.index.put(new, vectors[new], codes, until[new])
    gone = np.r_[40:60, ROWS - 30 : ROWS + 10]
    world.index.remove(gone)
    world.index.put(
        *(gone[:5], vectors[gone[:5]]),
        {"brand": brand[gone[:5]], "shop": np.ones(5, np.int32)},
    )
    until[gone] = 0
    until[gone[:5]] = retrieval.FOREVER
    now = np.array([99, 100, 250])
    fit = until > now[:, None]
    assert fit[2, 1:].sum() < fit[1, 1:].sum() < fit[0, 1:].sum()
    arguments = {"now": tf.constant(now)}
    wanted = expected(world.queries, vectors, ROWS, fit)
    check(world.index, world.queries, ROWS, wanted, **arguments)
    # The first two ask for a brand, the third for nothing.
    fit[:2] &= brand == 3
    arguments["allowed"] = {
        "brand": tf.constant([[3], [3], [-1]]),
        "shop": -tf.ones([3, 1], tf.int32),
    }
    wanted = expected(world.queries, vectors, ROWS, fit)
    check(world.index, world.queries, ROWS, wanted, **arguments)


@pytest.mark.parametrize("with_lists", [False, True])
def test_a_query_of_several_vectors(with_lists):
    """A row is as good as the best of these says; the others hold as well."""
    world = made(with_lists)
    queries = np.random.default_rng(5).normal(size=(3, 4, WIDTH))
    queries = queries.astype(np.float32)
    scores = np.max(queries @ world.vectors.T, axis=1)
    fit = np.ones(scores.shape, bool)
    fit[1] = np.isin(world.columns["brand"], [1, 3])
    without = np.argsort(-scores, axis=1)[:, [2, 5]]
    np.put_along_axis(fit, without, False, 1)
    fit[:, 0] = False
    scores = np.where(fit, scores, -np.inf)
    rows = np.argsort(-scores, axis=1)[:, :30]
    check(
        *(world.index, queries, 30),
        (rows, np.take_along_axis(scores, rows, 1)),
        without=tf.constant(without, tf.int32),
        allowed={
            "brand": tf.constant([[-1, -1], [3, 1], [-1, -1]]),
            "shop": -tf.ones([3, 1], tf.int32),
        },
    )
    # Several that are the same, and one alone, are a plain query.
    alone = world.index.search(tf.constant(queries[:, 0]), 30)
    for times in (1, 3):
        same = tf.constant(np.repeat(queries[:, :1], times, axis=1))
        for ours, theirs in zip(
            world.index.search(same, 30), alone, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_several_vectors_read_the_lists_that_any_of_them_is_near_to():
    world = made(True, probes=3)
    queries = np.random.default_rng(6).normal(size=(3, 2, WIDTH))
    queries = queries.astype(np.float32)
    closeness = np.max(queries @ world.centroids.T, axis=1)
    read = np.argsort(-closeness, axis=1)[:, :3]
    scores = np.max(queries @ world.vectors.T, axis=1)
    fit = (world.lists[None, :, None] == read[:, None, :]).any(2)
    fit[:, 0] = False
    scores = np.where(fit, scores, -np.inf)
    rows = np.argsort(-scores, axis=1)[:, :15]
    found = np.take_along_axis(scores, rows, 1)
    check(world.index, queries, 15, (rows, found))


def in_bytes(count, **settings):
    """Clusters of 3,000 rows in `count` bytes each, and what is best."""
    vectors = clustered(3000, 8, 40, 0.6)
    queries = clustered(64, 8, 40, 0.6, seed=1)
    index = retrieval.build_index(
        *(vectors,),
        queries=queries,
        recall=0.98,
        k=20,
        exact_rows=100,
        codes=count,
        **settings,
    )
    best = 1 + np.argsort(-(queries @ vectors[1:].T), axis=1)
    return types.SimpleNamespace(
        index=index, vectors=vectors, queries=queries, best=best
    )


def recall(index, queries, best, k):
    rows, _ = index.search(tf.constant(queries), k)
    return np.mean(
        [
            np.isin(wanted, own).mean()
            for wanted, own in zip(best[:, :k], rows.numpy(), strict=True)
        ]
    )


def test_vectors_in_bytes_are_scored_again_by_what_is_told():
    """Some rows by bytes, and of these the best by vectors, in float16 here."""
    world = in_bytes(2)
    assert recall(world.index, world.queries, world.best, 20) >= 0.97
    rows, scores = world.index.search(tf.constant(world.queries), 20)
    exact = np.einsum("bnd,bd->bn", world.vectors[rows], world.queries)
    np.testing.assert_allclose(scores, exact, rtol=2e-3, atol=2e-3)
    assert (np.diff(scores, axis=1) <= 0).all()
    # By vectors of another scale: these tell the scores, not the bytes.
    twice = in_bytes(
        2, vectors_of=lambda rows: 2 * tf.gather(world.vectors, rows)
    )
    other, doubled = twice.index.search(tf.constant(world.queries), 20)
    assert np.mean(other.numpy() == rows.numpy()) > 0.98
    np.testing.assert_allclose(doubled, 2 * scores, rtol=5e-3, atol=5e-3)
    # It keeps no vectors then, and otherwise half of them.
    sizes = [
        sum(np.asarray(v.numpy()).nbytes for v in each.variables)
        for each in (world.index, twice.index)
    ]
    assert sizes[0] - sizes[1] == 2 * 8 * 3000


def test_a_query_of_several_vectors_by_bytes():
    """As many lists are read as the recall of such queries needs."""
    vectors = clustered(3000, 8, 40, 0.6)
    queries = clustered(2 * 64, 8, 40, 0.6, seed=1).reshape(64, 2, 8)
    index = retrieval.build_index(
        *(vectors,),
        queries=queries,
        recall=0.98,
        k=20,
        exact_rows=100,
        codes=4,
    )
    scores = np.max(queries @ vectors[1:].T, axis=1)
    best = 1 + np.argsort(-scores, axis=1)
    assert recall(index, queries, best, 20) >= 0.97
    rows, found = index.search(tf.constant(queries), 20)
    exact = np.take_along_axis(scores, rows.numpy() - 1, 1)
    np.testing.assert_allclose(found, exact, rtol=2e-3, atol=2e-3)
    assert index.probes < 60


def test_rows_in_bytes_come_and_go():
    world = in_bytes(8)
    k = 12
    moved, gone = world.best[:, 0], world.best[:, 1]
    world.index.remove(np.unique(gone))
    moved = np.setdiff1d(moved, gone)
    vectors = world.vectors.copy()
    vectors[moved] *= -1
    world.index.put(moved, vectors[moved])
    scores = world.queries @ vectors.T
    scores[:, gone] = scores[:, 0] = -np.inf
    best = np.argsort(-scores, axis=1)
    assert recall(world.index, world.queries, best, k) >= 0.97
    rows, _ = world.index.search(tf.constant(world.queries), 40)
    assert not np.isin(rows, gone).any()
    # A row that was put is found by its new vector and no longer by its old.
    old, new = (
        world.index.search(some[moved[:1]], k)[0]
        for some in (world.vectors, vectors)
    )
    assert moved[0] in new.numpy()
    assert moved[0] not in old.numpy()


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


def test_where_too_few_are_left_it_reads_on():
    """Twice as many lists at a time, of each query's own."""
    world = made(True, probes=2)
    closeness = world.queries @ world.centroids.T
    order = np.argsort(-closeness, axis=1)
    # All rows of the first query's three nearest lists are gone, so it reads
    # four; others have rows enough in two.
    gone = 1 + np.flatnonzero(np.isin(world.lists[1:], order[0, :3]))
    world.index.remove(gone)
    left = np.ones(ROWS + 1, bool)
    left[gone] = False
    read = [order[0, :4], order[1, :2], order[2, :2]]
    fit = np.stack([np.isin(world.lists, own) & left for own in read])
    assert (fit.sum(axis=1) >= 5).all()
    wanted = expected(world.queries, world.vectors, 5, fit)
    check(world.index, world.queries, 5, wanted)
    # All that there are, however many are asked for.
    fit = np.tile(left, (3, 1))
    wanted = expected(world.queries, world.vectors, ROWS, fit)
    check(world.index, world.queries, ROWS, wanted)
    # Rows that are in no list count as well.
    new = np.arange(ROWS + 1, ROWS + 6)
    vectors = np.tile(world.queries[:1], (5, 1))
    codes = {name: np.ones(5, np.int32) for name in world.columns}
    world.index.put(new, vectors, codes)
    assert set(world.index.search(world.queries, 5)[0].numpy()[0]) == set(new)


def test_where_too_few_are_left_in_bytes_it_reads_on():
    world = in_bytes(4)
    for until in (40, len(world.vectors) - 31):
        gone = np.unique(world.best[0, :until])
        world.index.remove(gone)
        rows, scores = world.index.search(tf.constant(world.queries), 30)
        assert (scores > -np.inf).numpy().all()
        assert not np.isin(rows, gone).any()
        assert all(len(set(own)) == 30 for own in rows.numpy())


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
