"""Centroids, and as many lists as a recall needs."""

import numpy as np
import pytest

from tfadrec import retrieval
from tfadrec.core.door import tf


def clustered(rows, width, clusters, spread, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(clusters, width))
    found = centres[random.integers(clusters, size=rows)]
    found += spread * random.normal(size=found.shape)
    return found.astype(np.float32)


def test_centroids_of_clusters_far_apart():
    """Five points with a few rows each are found again, and their rows."""
    points = 100 * np.eye(5, dtype=np.float32)
    groups = np.random.default_rng(0).integers(5, size=200)
    vectors = points[groups]
    # Some begin at the same point: the others are empty and taken anew.
    centroids = retrieval.k_means(vectors, 5, seed=1)
    nearest = retrieval.assign(points, centroids)
    assert sorted(nearest) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(centroids[nearest], points, rtol=1e-5)
    np.testing.assert_array_equal(
        retrieval.assign(vectors, centroids), nearest[groups]
    )


def test_the_recall_is_that_of_searches():
    vectors = clustered(3000, 6, 40, 0.6)
    queries = clustered(64, 6, 40, 0.6, seed=1)
    best = 1 + np.argsort(-(queries @ vectors[1:].T), axis=1)[:, :20]
    probes = []
    for recall in (0.5, 0.9, 1.0):
        index = retrieval.build_index(
            vectors, queries=queries, recall=recall, k=20, exact_rows=100
        )
        rows, _ = index.search(tf.constant(queries), 20)
        found = np.mean(
            [
                np.isin(wanted, own).mean()
                for wanted, own in zip(best, rows.numpy(), strict=True)
            ]
        )
        assert found >= recall
        probes.append(index.probes)
    assert probes[0] < probes[1] < probes[2]
    assert probes[1] < 110 / 2


@pytest.mark.parametrize("stretch", [1, 10])
def test_bytes_find_what_they_find_in_faiss(stretch):
    """Of as many lists, read as often, and as many rows scored again.

    Also where vectors have more to tell in some directions than in others.
    """
    faiss = pytest.importorskip("faiss")
    scale = np.geomspace(stretch**0.5, stretch**-0.5, 16).astype(np.float32)
    vectors = scale * clustered(9000, 16, 60, 0.8)
    queries = scale * clustered(64, 16, 60, 0.8, seed=1)
    index = retrieval.build_index(
        *(vectors,), queries=queries, recall=0.98, k=20, exact_rows=100, codes=4
    )
    peer = faiss.IndexIVFPQ(
        *(faiss.IndexFlatIP(16), 16, round(2 * 9000**0.5), 4, 8),
        faiss.METRIC_INNER_PRODUCT,
    )
    peer.train(vectors[1:])
    peer.add(vectors[1:])
    peer.nprobe = index.probes
    exact = queries @ vectors.T
    _, some = peer.search(queries, 4 * 20)
    scores = np.take_along_axis(exact, 1 + some, axis=1)
    order = np.argsort(-scores, axis=1)[:, :20]
    theirs = 1 + np.take_along_axis(some, order, axis=1)
    ours, _ = index.search(tf.constant(queries), 20)
    best = 1 + np.argsort(-exact[:, 1:], axis=1)[:, :20]
    shares = [
        np.mean([np.isin(*pair).mean() for pair in zip(best, f, strict=True)])
        for f in (ours.numpy(), theirs)
    ]
    assert shares[0] >= max(0.96, shares[1] - 0.01), shares


def test_what_no_query_looks_at_parts_no_rows():
    """By plain distance 32 of 45 lists would be read for the same recall."""
    random = np.random.default_rng(2)
    vectors, queries = clustered(500, 6, 20, 0.3), clustered(64, 6, 20, 0.3)
    vectors[:, 3:] = 20 * random.normal(size=(500, 3))
    queries[:, 3:] = 0
    index = retrieval.build_index(
        vectors, queries=queries, recall=0.9, k=10, exact_rows=100
    )
    assert index.probes <= 12


def test_few_rows_are_all_scored():
    vectors = clustered(50, 4, 3, 1.0)
    rows, _ = retrieval.build_index(vectors).search(vectors[:2], 49)
    np.testing.assert_array_equal(np.sort(rows, 1), [np.arange(1, 50)] * 2)


def test_wrong_arguments():
    vectors = clustered(50, 4, 3, 1.0)
    with pytest.raises(ValueError, match=r"in \(0, 1\]\. Received: recall=0"):
        retrieval.build_index(vectors, recall=0)
    with pytest.raises(ValueError, match=r"from 1 to 50.*Received: count=51"):
        retrieval.k_means(vectors, 51)
