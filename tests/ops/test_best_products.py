"""The best of several vectors, by hand."""

import numpy as np

from tfadrec.ops.best_products import best_products


def test_a_row_is_as_good_as_the_best_vector_says():
    rows = np.array([[1, 0], [0, 1], [-1, -1]], np.float32)
    queries = np.array([[[2, 0], [0, 3]], [[1, 1], [-1, 0]]], np.float32)
    found = best_products(queries, rows)
    np.testing.assert_array_equal(found, [[2, 3, -2], [1, 1, 1]])
    alone = best_products(queries[:, 0], rows)
    np.testing.assert_array_equal(alone, [[2, 0, -2], [1, 1, -2]])
