"""The parts of a transformer's forward pass, over weights that are given.

Each works in the precision of its input, float32, bfloat16 or float16; sums of
norms and of attention are taken in float32.
"""

import math
from collections.abc import Callable, Mapping

import tensorflow as tf

from tfadrec.ops import attention as heads
from tfadrec.ops import masking


def gelu(x: tf.Tensor) -> tf.Tensor:
    """The activation x Phi(x), Phi the normal distribution function.

    (Hendrycks and Gimpel, 2016.)
    """
    return tf.nn.gelu(x, approximate=False)


def gelu_tanh(x: tf.Tensor) -> tf.Tensor:
    """The same with tanh in place of Phi; off by 0.0005 at most."""
    # It cubes x, which is beyond the largest float16 from 41 on.
    wide = tf.cast(x, tf.float32) if x.dtype == tf.float16 else x
    return tf.cast(tf.nn.gelu(wide, approximate=True), x.dtype)


#: Activations by the names that the configs of language models use.
ACTIVATIONS: Mapping[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gelu": gelu,
    "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
}


def dense(
    x: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    activation: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> tf.Tensor:
    """Rows through a layer: activation(x W + b).

    Args:
      x: float [N, D].
      kernel: W, float [D, E].
      bias: b, float [E], or None.
      activation: None leaves the sum as it is.

    Returns:
      [N, E] of the dtype of `x`.
    """
    y = tf.matmul(x, tf.cast(kernel, x.dtype))
    if bias is not None:
        y = tf.nn.bias_add(y, tf.cast(bias, x.dtype))
    return y if activation is None else activation(y)


def layer_norm(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Rows of mean 0 and variance 1, scaled and shifted.

        gamma (x - mean) / sqrt(variance + epsilon) + beta

    over the last axis, mean and variance in float32 (Ba, Kiros and Hinton,
    2016).

    Args:
      x: float [..., D].
      gamma: float [D].
      beta: float [D].
      epsilon: > 0.

    Returns:
      [..., D] of the dtype of `x`.
    """
    wide = tf.cast(x, tf.float32)
    mean, variance = tf.nn.moments(wide, -1, keepdims=True)
    normal = (wide - mean) * tf.math.rsqrt(variance + epsilon)
    scaled = normal * tf.cast(gamma, tf.float32) + tf.cast(beta, tf.float32)
    return tf.cast(scaled, x.dtype)


def rms_norm(x: tf.Tensor, gamma: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Rows whose mean square is 1, scaled.

        gamma x / sqrt(mean(x^2) + epsilon)

    over the last axis (Zhang and Sennrich, 2019). The mean is float32.

    Args:
      x: float [..., D].
      gamma: float [D].
      epsilon: > 0.

    Returns:
      [..., D] of the dtype of `x`.
    """
    wide = tf.cast(x, tf.float32)
    square = tf.reduce_mean(tf.square(wide), -1, keepdims=True)
    normal = wide * tf.math.rsqrt(square + epsilon)
    return tf.cast(normal * tf.cast(gamma, tf.float32), x.dtype)


def attention(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    mask: tf.Tensor,
    num_heads: int,
    *,
    scale: float | None = None,
    bias: tf.Tensor | None = None,
) -> tf.Tensor:
    """Multi-head attention between projections that are given.

        a_qt = softmax_t(scale q . k_t + bias_qt);  out_q = sum_t a_qt v_t

    for each head, the heads side by side again (Vaswani et al., 2017).

    Args:
      query: float [B, Q, D], D a multiple of `num_heads`.
      key: float [B, T, D].
      value: float [B, T, D], finite in padding too.
      mask: bool [B, T], or [B, Q, T] where it depends on the query (or
        [1, Q, T], as a causal one), True = real.
      num_heads: H.
      scale: of the products; None means 1 / sqrt(D / H).
      bias: float, broadcastable to [B, H, Q, T], as T5's of positions.

    Returns:
      [B, Q, D] of the query's dtype; zeros where nothing is real.
    """
    if scale is None:
        scale = (query.shape[-1] // num_heads) ** -0.5
    q, k, v = (heads.split_heads(x, num_heads) for x in (query, key, value))
    logits = tf.cast(tf.matmul(q * scale, k, transpose_b=True), tf.float32)
    if bias is not None:
        logits += tf.cast(bias, tf.float32)
    mask = (
        mask[:, tf.newaxis, tf.newaxis]
        if mask.shape.rank == 2
        else mask[:, tf.newaxis]
    )
    weights = tf.cast(masking.masked_softmax(logits, mask), v.dtype)
    return heads.join_heads(tf.matmul(weights, v))


def relative_buckets(
    distance: tf.Tensor, num_buckets: int, max_distance: int
) -> tf.Tensor:
    """T5's buckets of distances: one each when near, wider and wider beyond.

    Half of the buckets are for keys after the query. Of each half, with n
    buckets, the first h = n / 2 hold one distance d each, and the others

        h + floor(log(d / h) / log(max_distance / h) (n - h)), at most n - 1

    (Raffel et al., 2020, section 2.1, and the code published with it).

    Args:
      distance: int32, any shape: the key's place less the query's.
      num_buckets: of both directions, a multiple of 4.
      max_distance: from here on all distances share the last bucket.

    Returns:
      int32 in [0, num_buckets), of the shape of `distance`.
    """
    half = num_buckets // 2
    exact = half // 2
    far = tf.abs(distance)
    ratio = tf.cast(tf.maximum(far, 1), tf.float32) / exact
    share = tf.math.log(ratio) / math.log(max_distance / exact)
    wide = exact + tf.cast(share * (half - exact), tf.int32)
    bucket = tf.where(far < exact, far, tf.minimum(wide, half - 1))
    return bucket + tf.where(distance > 0, half, 0)
