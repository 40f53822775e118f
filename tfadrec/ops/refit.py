"""Queries whose inner products say better what some rows are worth."""

import tensorflow as tf

#: Of the mean eigenvalue of the rows' moments: how far a query is held to what
#: it was (docs/design.md).
_PENALTY = 0.1
#: Added to the same, so that there is an answer for rows that are all alike.
_LEAST = 1e-12


def refit(
    queries: tf.Tensor,
    vectors: tf.Tensor,
    worth: tf.Tensor,
    is_there: tf.Tensor,
) -> tf.Tensor:
    """Corrects queries by what some rows turned out to be worth.

    For a query q, rows y_i and their worth z_i, both less their means, it is
    ridge regression around the query at the scale that fits best:

        s = max(0, sum_i z_i (q . y_i) / sum_i (q . y_i)^2)
        d = argmin_d sum_i (z_i - (s q + d) . y_i)^2 + p d . d
        q' = s q + d

    with p = .1 / D sum_i y_i . y_i. So worth may have any scale, and a constant
    of its own for each query. Of one row or none nothing can be learned, and
    q' = q.

    A query of K vectors says max_k q_k . y_i in place of q . y_i, and all of
    them are corrected alike, q'_k = s q_k + d.

    Args:
      queries: float32 [B, D], or [B, K, D] of K vectors each.
      vectors: float32 [B, n, D], of the rows; finite.
      worth: float32 [B, n], what inner products are to say.
      is_there: bool [B, n], False for rows to pass over.

    Returns:
      float32 as the queries, good for an order of rows alone.

    Reference:
      Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal
      Problems", Technometrics 12(1), 1970.
    """
    several = queries if queries.shape.rank == 3 else queries[:, None]
    share = tf.cast(is_there, tf.float32)
    share /= tf.maximum(tf.reduce_sum(share, axis=1, keepdims=True), 1)
    products = tf.matmul(vectors, several, transpose_b=True)  # [B, n, K]
    guess = tf.reduce_max(products, axis=2, keepdims=True)
    guess = _centred(guess, share, is_there)  # [B, n, 1]
    vectors = _centred(vectors, share, is_there)  # [B, n, D]
    worth = _centred(worth[..., None], share, is_there)  # [B, n, 1]
    fit = tf.reduce_sum(worth * guess, axis=1)  # [B, 1]
    scale = tf.math.divide_no_nan(fit, tf.reduce_sum(guess * guess, axis=1))
    scale = tf.maximum(scale, 0)[..., None]  # [B, 1, 1]
    moment = tf.matmul(vectors, vectors, transpose_a=True)  # [B, D, D]
    penalty = _PENALTY * tf.reduce_mean(tf.linalg.diag_part(moment), axis=1)
    penalty = (penalty + _LEAST)[:, None, None]
    root = tf.linalg.cholesky(moment + penalty * tf.eye(tf.shape(moment)[1]))
    missed = tf.matmul(vectors, worth - scale * guess, transpose_a=True)
    change = tf.linalg.cholesky_solve(root, missed)  # [B, D, 1]
    found = scale * several + tf.linalg.matrix_transpose(change)
    is_fitted = tf.reduce_any(found != 0, axis=(1, 2), keepdims=True)
    found = tf.where(is_fitted, found, several)
    return found if queries.shape.rank == 3 else found[:, 0]


def _centred(values, share, is_there):
    """Less their mean, and 0 where nothing is there, [B, n, D]."""
    is_there = is_there[..., None]
    values = tf.where(is_there, values, 0)
    mean = tf.reduce_sum(share[..., None] * values, axis=1, keepdims=True)
    return tf.where(is_there, values - mean, 0)
