"""What a row or a slate costs, given its labels and the outputs of a head.

All arguments are float32, and masks are bool with True = real. Padded places
hold any finite numbers, and have no part in the result. Functions of slates
take labels and logits [B, C] and give one number per slate, [B].
"""

import math

import tensorflow as tf

#: Added to the standard deviation of `zero_inflated_log_normal`, so that its
#: square can be divided by.
LEAST_SIGMA = 1e-3
#: The logarithm of the largest expected value, 1e26: a sum over a billion such
#: rows still is a finite float32.
LARGEST_LOG_MEAN = 60.0
#: The smallest normal float32.
_TINY = 1.1754944e-38


def binary_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """-y log p - (1 - y) log(1 - p) with p = sigmoid(logit), [...] to [...].

    Args:
      labels: [...], in [0, 1].
      logits: [...].

    Returns:
      float32 [...], finite wherever the logit is.
    """
    return tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)


def huber(labels: tf.Tensor, outputs: tf.Tensor, delta: float) -> tf.Tensor:
    """e^2 / 2 up to an error |e| of delta, and delta (|e| - delta / 2) beyond.

    Args:
      labels: [...].
      outputs: [...].
      delta: > 0.

    Returns:
      float32 [...].
    """
    error = tf.abs(labels - outputs)
    square = tf.minimum(error, delta)
    return square * (error - square / 2.0)


def zero_inflated_log_normal(
    labels: tf.Tensor, outputs: tf.Tensor
) -> tf.Tensor:
    """The negative log likelihood of a label that is 0 or log-normal.

    With the outputs (z, mu, r) of a row, p = sigmoid(z) and
    sigma = softplus(r) + 0.001, a label of 0 costs -log(1 - p), and a label
    y > 0 costs

        -log p + log(y sigma sqrt(2 pi)) + (log y - mu)^2 / (2 sigma^2).

    Args:
      labels: [...], >= 0; what is below counts as 0.
      outputs: [..., 3].

    Returns:
      float32 [...], below 0 where the density is above 1.
    """
    logit, mu, sigma = _log_normal(outputs)
    # A subnormal number counts as 0: processors differ in its logarithm.
    positive = labels >= _TINY
    log_label = tf.math.log(tf.where(positive, labels, 1.0))
    amount = (
        log_label
        + tf.math.log(sigma)
        + 0.5 * math.log(2.0 * math.pi)
        + 0.5 * tf.square((log_label - mu) / sigma)
    )
    chance = binary_cross_entropy(tf.cast(positive, tf.float32), logit)
    return chance + tf.where(positive, amount, 0.0)


def zero_inflated_log_normal_mean(outputs: tf.Tensor) -> tf.Tensor:
    """The mean of the label, p exp(mu + sigma^2 / 2), at most 1e26.

    Args:
      outputs: [..., 3], as for `zero_inflated_log_normal`.

    Returns:
      float32 [...], finite and >= 0.
    """
    logit, mu, sigma = _log_normal(outputs)
    log_mean = tf.math.log_sigmoid(logit) + mu + 0.5 * tf.square(sigma)
    return tf.exp(tf.minimum(log_mean, LARGEST_LOG_MEAN))


def softmax_cross_entropy(
    labels: tf.Tensor,
    logits: tf.Tensor,
    mask: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """-sum_i (y_i / sum_j y_j) log softmax(logits)_i over a slate.

    Args:
      labels: [B, C], >= 0.
      logits: [B, C].
      mask: bool [B, C].
      weights: [B, C], how many rows each counts as, 0 where masked; None = 1.

    Returns:
      float32 [B], 0 where no label is positive.
    """
    labels = tf.where(mask, labels, 0.0)
    if weights is not None:
        labels *= weights
    total = tf.reduce_sum(labels, -1, keepdims=True)
    shares = tf.math.divide_no_nan(labels, total)
    logs = _masked_log_softmax(logits, mask, weights)
    return -tf.reduce_sum(shares * logs, -1)


def pairwise_logistic(
    labels: tf.Tensor,
    logits: tf.Tensor,
    mask: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """The mean of log(1 + exp(s_j - s_i)) over the pairs with y_i > y_j.

    Memory: a few tensors [B, C, C].

    Args:
      labels: [B, C].
      logits: [B, C], the s.
      mask: bool [B, C].
      weights: [B, C], how many rows each counts as, 0 where masked; None = 1.

    Returns:
      float32 [B], 0 where all labels of a slate are equal.
    """
    pairs = tf.cast(_ordered_pairs(labels, mask), tf.float32)
    if weights is not None:
        weights = _by_mean(weights, mask)
        pairs *= weights[:, :, tf.newaxis] * weights[:, tf.newaxis, :]
    costs = pairs * tf.nn.softplus(-_differences(logits))
    return tf.math.divide_no_nan(
        tf.reduce_sum(costs, [1, 2]), tf.reduce_sum(pairs, [1, 2])
    )


def ndcg_weighted_logistic(
    labels: tf.Tensor, logits: tf.Tensor, mask: tf.Tensor, k: int | None
) -> tf.Tensor:
    """The sum of |change of NDCG@k| log(1 + exp(s_j - s_i)), y_i > y_j.

    The change is that of exchanging i and j in the order of the logits. It is
    a constant to the gradient. Memory: a few tensors [B, C, C].

    Args:
      labels: [B, C], >= 0, each its own gain.
      logits: [B, C], the s; of equal ones the first stands higher.
      mask: bool [B, C].
      k: how many ranks count, or None for all.

    Returns:
      float32 [B], 0 where all labels of a slate are equal.
    """
    labels = tf.where(mask, labels, 0.0)
    # Ranks are counted by comparisons, which have no gradient.
    discounts = _discounts(logits, mask, k)
    best = tf.reduce_sum(labels * _discounts(labels, mask, k), -1)
    changes = tf.abs(_differences(labels) * _differences(discounts))
    costs = tf.where(
        _ordered_pairs(labels, mask),
        changes * tf.nn.softplus(-_differences(logits)),
        0.0,
    )
    return tf.math.divide_no_nan(tf.reduce_sum(costs, [1, 2]), best)


def joint_ranking_and_calibration(
    labels: tf.Tensor,
    outputs: tf.Tensor,
    mask: tf.Tensor,
    alpha: float,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Cross-entropy over the two logits of a row, and over the slate's rows.

    With the logits f_0 and f_1 and the label y of row i,

        alpha (-log softmax over c of f_c,i at y)
        + (1 - alpha) (-log softmax over j of f_y,j at i),

    mixed by y where it lies between 0 and 1.

    Args:
      labels: [B, C], in [0, 1].
      outputs: [B, C, 2].
      mask: bool [B, C].
      alpha: in [0, 1].
      weights: [B, C], how many rows each counts as among the slate's rows, 0
        where masked; None = 1.

    Returns:
      float32 [B, C].
    """
    negative, positive = tf.unstack(outputs, num=2, axis=-1)
    own = binary_cross_entropy(labels, positive - negative)
    among = labels * _masked_log_softmax(positive, mask, weights)
    among += (1.0 - labels) * _masked_log_softmax(negative, mask, weights)
    return alpha * own - (1.0 - alpha) * among


def _log_normal(outputs):
    logit, mu, raw_sigma = tf.unstack(outputs, num=3, axis=-1)
    return logit, mu, tf.nn.softplus(raw_sigma) + LEAST_SIGMA


def _masked_log_softmax(logits, mask, weights=None):
    """Over the real entries of the last axis, 0 where masked.

    One of the weight w is w entries, of each of which this is the logarithm,
    but for what the mean weight of all adds to them.
    """
    counted, among = mask, logits
    if weights is not None:
        shares = _by_mean(weights, mask)
        counted = shares > 0
        among += tf.math.log(tf.where(counted, shares, 1.0))
    # A finite stand-in for -inf: no NaN where a whole slate is masked.
    among = tf.where(counted, among, tf.float32.min / 2)
    total = tf.reduce_logsumexp(among, axis=-1, keepdims=True)
    return tf.where(counted, logits - total, 0.0)


def _by_mean(weights, mask):
    """Weights by their mean over the real rows of a slate, 0 for none."""
    count = tf.reduce_sum(tf.cast(mask, tf.float32), -1, keepdims=True)
    total = tf.reduce_sum(weights, -1, keepdims=True)
    return tf.math.divide_no_nan(weights * count, total)


def _differences(values):
    """Entry i less entry j of [B, C] at [B, i, j]."""
    return values[:, :, tf.newaxis] - values[:, tf.newaxis, :]


def _ordered_pairs(labels, mask):
    """Where y_i > y_j and both are real, bool [B, i, j]."""
    real = mask[:, :, tf.newaxis] & mask[:, tf.newaxis, :]
    return real & (labels[:, :, tf.newaxis] > labels[:, tf.newaxis, :])


def _discounts(values, mask, k):
    """1 / log2(1 + rank) by falling value, 0 from rank k + 1 on and masked."""
    own, other = values[:, :, tf.newaxis], values[:, tf.newaxis, :]
    places = tf.range(tf.shape(values)[1])
    earlier = places[tf.newaxis, :] < places[:, tf.newaxis]
    above = (other > own) | ((other == own) & earlier)
    above &= mask[:, tf.newaxis, :]
    ranks = 1.0 + tf.reduce_sum(tf.cast(above, tf.float32), -1)
    counts = mask if k is None else mask & (ranks <= k)
    return tf.where(counts, math.log(2.0) / tf.math.log1p(ranks), 0.0)
