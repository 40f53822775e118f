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

    Args:
      queries: float32 [B, D].
      vectors: float32 [B, n, D], of the rows; finite.
      worth: float32 [B, n], what inner products are to say.
      is_there: bool [B, n], False for rows to pass over.

    Returns:
      float32 [B, D], good for an order of rows alone.

    Reference:
      Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal
      Problems", Technometrics 12(1), 1970.
    """
    share = tf.cast(is_there, tf.float32)
    share /= tf.maximum(tf.reduce_sum(share, axis=1, keepdims=True), 1)
    vectors = _centred(vectors, share, is_there)  # [B, n, D]
    worth = _centred(worth[..., None], share, is_there)  # [B, n, 1]
    guess = tf.matmul(vectors, queries[..., None])  # [B, n, 1]
    fit = tf.reduce_sum(worth * guess, axis=1)  # [B, 1]
    scale = tf.math.divide_no_nan(fit, tf.reduce_sum(guess * guess, axis=1))
    scale = tf.maximum(scale, 0)
    moment = tf.matmul(vectors, vectors, transpose_a=True)  # [B, D, D]
    penalty = _PENALTY * tf.reduce_mean(tf.linalg.diag_part(moment), axis=1)
    penalty = (penalty + _LEAST)[:, None, None]
    width = tf.shape(queries)[1]
    root = tf.linalg.cholesky(moment + penalty * tf.eye(width))
    gaps = worth - scale[..., None] * guess
    missed = tf.matmul(vectors, gaps, transpose_a=True)  # [B, D, 1]
    found = scale * queries + tf.linalg.cholesky_solve(root, missed)[..., 0]
    is_fitted = tf.reduce_any(found != 0, axis=1, keepdims=True)
    return tf.where(is_fitted, found, queries)


def _centred(values, share, is_there):
    """Less their mean, and 0 where nothing is there, [B, n, D]."""
    is_there = is_there[..., None]
    values = tf.where(is_there, values, 0)
    mean = tf.reduce_sum(share[..., None] * values, axis=1, keepdims=True)
    return tf.where(is_there, values - mean, 0)
