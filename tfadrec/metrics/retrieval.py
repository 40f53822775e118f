"""Whether the ad that was clicked is among the best of a whole catalogue.

Each row has one relevant ad. Of ads with equal scores the order is random, and
a metric is its mean over all orders.
"""

import numpy as np


def places(
    scores: np.ndarray, relevant: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the relevant ads stand.

    Args:
      scores: float [n, N].
      relevant: int [n], the place of each row's relevant ad.

    Returns:
      int [n] each: how many ads score higher, and how many score the same, the
      relevant one included.
    """
    own = scores[np.arange(len(scores)), relevant][:, None]
    return (scores > own).sum(axis=1), (scores == own).sum(axis=1)


def recall(higher: np.ndarray, equal: np.ndarray, k: int) -> float:
    """The share of rows whose relevant ad is among the first k.

    Args:
      higher: int [n]; see `places`.
      equal: int [n]; see `places`.
      k: >= 1.
    """
    return float(np.mean(np.clip((k - higher) / equal, 0, 1)))


def ndcg(higher: np.ndarray, equal: np.ndarray, k: int) -> float:
    """The mean of 1 / log2(1 + rank), 0 where the rank is above k.

    With one relevant ad the best possible sum of discounts is 1 (Järvelin and
    Kekäläinen, 2002).

    Args:
      higher: int [n]; see `places`.
      equal: int [n]; see `places`.
      k: >= 1.
    """
    discounts = 1 / np.log2(2 + np.arange(k))
    sums = np.concatenate([[0.0], np.cumsum(discounts)])
    first, last = np.minimum(higher, k), np.minimum(higher + equal, k)
    return float(np.mean((sums[last] - sums[first]) / equal))
