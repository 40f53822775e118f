"""An index as exact as it has to be, and no larger."""

from collections.abc import Callable, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.ops.best_products import best_products
from tfadrec.retrieval.k_means import assign, k_means
from tfadrec.retrieval.residual_codes import ResidualCodes
from tfadrec.retrieval.vector_index import VectorIndex, rows_by_list

#: Up to so many rows all of them are scored: of 64 numbers each they are 5 MB,
#: which a processor reads in a millisecond or two.
EXACT_ROWS = 20_000
#: Queries that tell how many lists are to be read.
_QUERIES = 256
#: Of the mean square of the queries' numbers, what each direction has besides.
_LEAST = 0.01
#: Queries that are compared with all rows at a time: bounds the memory.
_AT_ONCE = 16


def build_index(
    vectors: np.ndarray,
    *,
    columns: Mapping[str, np.ndarray] | None = None,
    until: np.ndarray | None = None,
    queries: np.ndarray | None = None,
    recall: float = 0.985,
    k: int = 100,
    codes: int | None = None,
    vectors_of: Callable[[tf.Tensor], tf.Tensor] | None = None,
    exact_rows: int = EXACT_ROWS,
    seed: int = 0,
) -> VectorIndex:
    """Makes an index, and reads as many lists as the wanted recall needs.

    There are 2 sqrt(N) lists, of rows that have much the same inner products
    with the queries. Recall is the share of a query's k best rows that
    lie in the lists that it reads, on average over the queries, so it is known
    without a search.

    Args:
      vectors: float32 [N + 1, D] by row, row 0 the unknown one.
      columns: see `RowFilter`.
      until: see `RowFilter`.
      queries: float32 [Q, D], or [Q, K, D] of K vectors each, Q >= 1, to learn
        from what rows are alike and how many lists are read, such as vectors of
        users; rows of the index by default.
      recall: the least share that is found of what scoring all rows finds, in
        (0, 1].
      k: how many rows that share is of.
      codes: bytes that the lists keep of a vector, in [1, D], see
        `ResidualCodes`; D / 4 find what the vectors themselves do. None to keep
        the vectors. Recall is that of lists, before this loss.
      vectors_of: see `VectorIndex`.
      exact_rows: up to so many rows there are no lists.
      seed: of the centroids, and of the rows that are taken for queries.

    Raises:
      ValueError: for another recall, or number of bytes.
    """
    if not 0 < recall <= 1:
        raise ValueError(
            f"`recall` must be in (0, 1]. Received: recall={recall}."
        )
    count = len(vectors) - 1
    if count <= exact_rows:
        return VectorIndex(vectors, columns=columns, until=until)
    random = np.random.default_rng(seed)
    if queries is None:
        queries = vectors[1 + random.choice(count, min(count, _QUERIES))]
    queries = queries[:_QUERIES]
    metric = _metric(queries.reshape(-1, queries.shape[-1]))
    turned = vectors @ metric
    centroids = k_means(turned[1:], round(2 * count**0.5), seed=seed)
    lists = assign(turned, centroids)
    del turned
    centroids = centroids @ np.linalg.inv(metric)
    found = recalls(queries, vectors, centroids, lists, k)
    probes = 1 + int(np.argmax(found >= recall))
    bytes_of = None
    if codes is not None:
        rows = rows_by_list(lists)
        left = vectors[rows] - centroids[lists[rows]]
        bytes_of = ResidualCodes(left, metric, codes, seed=seed)
    return VectorIndex(
        vectors,
        columns=columns,
        until=until,
        centroids=centroids,
        lists=lists,
        probes=probes,
        codes=bytes_of,
        vectors_of=vectors_of,
    )


def _metric(queries: np.ndarray) -> np.ndarray:
    """What turns rows so that they are as far apart as their scores are.

    With L L' = mean_q q q', |(a - b) L|^2 is the mean of (q . a - q . b)^2.

    Args:
      queries: float32 [Q, D].

    Returns:
      float32 [D, D], which has an inverse.
    """
    moment = queries.T.astype(np.float64) @ queries / len(queries)
    width = len(moment)
    # A direction that no query has counts a little.
    moment += (_LEAST * np.trace(moment) / width + 1e-12) * np.eye(width)
    return np.linalg.cholesky(moment).astype(np.float32)


def recalls(
    queries: np.ndarray,
    vectors: np.ndarray,
    centroids: np.ndarray,
    lists: np.ndarray,
    k: int,
) -> np.ndarray:
    """The share of the k best rows in the first 1, 2, ... lists, [L].

    Args:
      queries: float32 [Q, D] or [Q, K, D].
      vectors: float32 [N + 1, D]; row 0 is left out.
      centroids: float32 [L, D].
      lists: int32 [N + 1].
      k: how many rows; at most N.
    """
    counts = np.zeros(len(centroids))
    k = min(k, len(vectors) - 1)
    for start in range(0, len(queries), _AT_ONCE):
        some = queries[start : start + _AT_ONCE]
        scores = best_products(some, vectors[1:])
        best = 1 + np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-best_products(some, centroids), axis=1)
        places = np.argsort(order, axis=1)
        found = np.take_along_axis(places, lists[best], axis=1)
        counts += np.bincount(found.ravel(), minlength=len(counts))
    # A sum of shares may end just below 1.
    return np.cumsum(counts) / counts.sum()
