"""Centroids of vectors, and the nearest one of each."""

import numpy as np

#: Vectors that are compared with all centroids at a time: bounds the memory.
_BLOCK = 16384
#: Vectors per centroid that the centroids are learned from, and passes over
#: them: as few as keep the building of an index for a million ads within some
#: ten seconds of a processor (benchmarks/RESULTS.md).
_PER_CENTROID, _PASSES = 32, 8


def k_means(vectors: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Lloyd's algorithm on a sample of the vectors.

    A centroid that no vector is nearest to is replaced by a vector of the
    sample.

    Args:
      vectors: float32 [n, D].
      count: L, how many centroids; 1 <= L <= n.
      seed: of the sample.

    Returns:
      float32 [L, D].

    Raises:
      ValueError: for another number of centroids.

    Reference:
      Lloyd, "Least Squares Quantization in PCM", IEEE Transactions on
      Information Theory 28(2), 1982.
    """
    if not 1 <= count <= len(vectors):
        raise ValueError(
            f"`count` must be from 1 to {len(vectors)}, the number of vectors. "
            f"Received: count={count}."
        )
    random = np.random.default_rng(seed)
    size = min(len(vectors), count * _PER_CENTROID)
    sample = vectors[random.choice(len(vectors), size, replace=False)]
    centroids = sample[:count].copy()
    for _ in range(_PASSES):
        nearest = assign(sample, centroids)
        sizes = np.bincount(nearest, minlength=count)
        shares = 1 / np.maximum(sizes, 1).astype(np.float32)
        centroids = _sums(sample, nearest, sizes) * shares[:, None]
        empty = np.flatnonzero(sizes == 0)
        centroids[empty] = sample[random.choice(size, len(empty))]
    return centroids


def assign(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The centroid that is nearest to each vector, in Euclidean distance.

    Args:
      vectors: float32 [n, D].
      centroids: float32 [L, D].

    Returns:
      int32 [n].
    """
    # |x - c|^2 = |x|^2 - 2 (x . c - |c|^2 / 2), of which |x|^2 is the same.
    halves = np.einsum("ld,ld->l", centroids, centroids) / 2
    found = np.empty(len(vectors), np.int32)
    for start in range(0, len(vectors), _BLOCK):
        block = slice(start, start + _BLOCK)
        scores = vectors[block] @ centroids.T
        scores -= halves
        found[block] = scores.argmax(axis=1)
    return found


def _sums(vectors, groups, sizes):
    """The sum of the vectors of each group, float32 [L, D]."""
    order = np.argsort(groups, kind="stable")
    # One row of zeros more: a group behind the last vector begins there.
    ordered = np.pad(vectors[order], [(0, 1), (0, 0)])
    starts = np.cumsum(sizes) - sizes
    sums = np.add.reduceat(ordered, starts, axis=0)
    # Of an empty group `reduceat` gives the row where it would begin.
    return np.where(sizes[:, None] > 0, sums, 0)
