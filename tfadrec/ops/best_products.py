"""Inner products with rows, of queries that may be several vectors each."""

import numpy as np


def best_products(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The largest inner product of a query's vectors with each row.

    Args:
      queries: float32 [Q, D], or [Q, K, D] of K vectors each.
      rows: float32 [n, D].

    Returns:
      float32 [Q, n].
    """
    products = queries @ rows.T
    return products if queries.ndim == 2 else products.max(axis=1)
