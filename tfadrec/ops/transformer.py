"""The parts of a transformer's forward pass, over weights that are given.

Each works in the precision of its input, float32, bfloat16 or float16; sums of
norms and of attention are taken in float32.
"""

import math
from collections.abc import Callable, Mapping

import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port

from tfadrec.ops import attention as heads
from tfadrec.ops import xla
from tfadrec.ops.custom_gradient import custom_gradient


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
    gamma, beta = tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta)
    if not _becomes_one_kernel(x):
        return _plain_layer_norm(x, gamma, beta, epsilon)

    @custom_gradient
    def norm(x, gamma, beta):
        def gradient(upstream):
            with tf.GradientTape() as tape:
                tape.watch([x, gamma, beta])
                y = _plain_layer_norm(x, gamma, beta, epsilon)
            return tape.gradient(y, [x, gamma, beta], upstream)

        return _fusible_layer_norm(x, gamma, beta, epsilon), gradient

    return norm(x, gamma, beta)


def _plain_layer_norm(x, gamma, beta, epsilon):
    wide = tf.cast(x, tf.float32)
    mean, variance = tf.nn.moments(wide, -1, keepdims=True)
    normal = (wide - mean) * tf.math.rsqrt(variance + epsilon)
    scaled = normal * tf.cast(gamma, tf.float32) + tf.cast(beta, tf.float32)
    return tf.cast(scaled, x.dtype)


def _becomes_one_kernel(x: tf.Tensor) -> bool:
    """Whether `_fusible_layer_norm` of rows becomes one kernel of oneDNN.

    Where their number is known, TensorFlow folds the constants that it would
    have to find, and without oneDNN the form is slow. Other devices than the
    CPU have compilers of their own.
    """
    return (
        x.shape.rank == 2
        and x.shape[0] is None
        and x.dtype in (tf.float32, tf.bfloat16)
        and _pywrap_util_port.IsMklEnabled()
        and not tf.config.get_visible_devices("GPU")
        and not xla.is_compiling()
    )


def _fusible_layer_norm(x, gamma, beta, epsilon):
    """The norm in the form that TensorFlow replaces by one kernel.

    It is a batch norm in which every row is a channel. Sums are float32, too.
    """
    num_rows = tf.shape(x)[0]
    nothing = tf.constant([], tf.float32)
    normal = tf.raw_ops.FusedBatchNormV3(
        x=tf.reshape(x, [1, num_rows, x.shape[1], 1]),
        scale=tf.fill([num_rows], 1.0),
        offset=tf.fill([num_rows], 0.0),
        mean=nothing,
        variance=nothing,
        epsilon=epsilon,
        data_format="NCHW",
        is_training=True,
    ).y
    normal = tf.reshape(normal, tf.shape(x))
    return normal * tf.cast(gamma, x.dtype) + tf.cast(beta, x.dtype)


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

    for each head, the heads side by side again (Vaswani et al., 2017). Where
    keys and values have fewer heads, G of them, H / G neighbouring heads of
    queries share each (Ainslie et al., "GQA", 2023).

    Args:
      query: float [B, Q, D], D a multiple of `num_heads`.
      key: float [B, T, G D / H], finite in padding too.
      value: float [B, T, G D / H], finite in padding too.
      mask: bool [B, T], or [B, Q, T] where it depends on the query (or
        [1, Q, T], as a causal one), True = real.
      num_heads: H.
      scale: of the products; None means 1 / sqrt(D / H).
      bias: float, broadcastable to [B, H, Q, T], as T5's of positions.

    Returns:
      [B, Q, D] of the query's dtype; the mean of all values where none is real.
    """
    width = query.shape[-1] // num_heads
    if scale is None:
        scale = width**-0.5
    num_shared = key.shape[-1] // width
    q = heads.split_heads(query, num_heads)
    k, v = (heads.split_heads(x, num_shared) for x in (key, value))
    logits = _by_shared_heads(q * scale, k, transpose_b=True)
    logits = tf.cast(logits, tf.float32)
    if bias is not None:
        logits += tf.cast(bias, tf.float32)
    if mask.shape.rank == 2:
        mask = mask[:, tf.newaxis]
    # An addition broadcasts faster than a choice. What is added is finite: no
    # NaN where a whole row is masked.
    logits += tf.where(mask, 0.0, tf.float32.min / 2)[:, tf.newaxis]
    weights = tf.cast(tf.nn.softmax(logits), v.dtype)
    return heads.join_heads(_by_shared_heads(weights, v))


def _by_shared_heads(
    x: tf.Tensor, shared: tf.Tensor, transpose_b: bool = False
) -> tf.Tensor:
    """Products of heads [B, H, Q, d] with those of G heads, [B, H, Q, e]."""
    num_heads, num_shared = x.shape[1], shared.shape[1]
    if num_heads == num_shared:
        return tf.matmul(x, shared, transpose_b=transpose_b)
    # The rows of the heads that share one follow each other: nothing is copied.
    batch, _, rows, width = tf.unstack(tf.shape(x))
    each = num_heads // num_shared * rows
    x = tf.reshape(x, [batch, num_shared, each, width])
    product = tf.matmul(x, shared, transpose_b=transpose_b)
    last = product.shape[-1] or tf.shape(product)[-1]
    return tf.reshape(product, [batch, num_heads, rows, last])


def rotary_angles(
    places: tf.Tensor, width: int, base: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """By how much `rotate` turns the pairs of a head: p base^(-2 i / d).

    Args:
      places: p, int [R].
      width: d, of a head, even.
      base: > 0, 10,000 in the paper.

    Returns:
      The cosines and the sines of pair i, float32 [R, d / 2].
    """
    pairs = tf.range(width // 2, dtype=tf.float32)
    rates = tf.pow(tf.constant(base, tf.float32), -2.0 * pairs / width)
    angles = tf.cast(places, tf.float32)[:, tf.newaxis] * rates
    return tf.cos(angles), tf.sin(angles)


def rotate(x: tf.Tensor, angles: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Rotary position embedding: each head turned by its place.

    Numbers i and i + d / 2 of a head, a pair (a, b), become

        (a cos - b sin, b cos + a sin)

    so that the product of a query and a key depends on the distance of their
    places alone (Su et al., "RoFormer", 2021, equation 34, whose pairs are
    neighbours).

    Precision: computed in float32.

    Args:
      x: float [R, H d].
      angles: those of `rotary_angles` for the rows.

    Returns:
      [R, H d] of the dtype of `x`.
    """
    half = angles[0].shape[-1]
    wide = tf.reshape(tf.cast(x, tf.float32), [-1, x.shape[-1] // half, half])
    first, second = wide[:, 0::2], wide[:, 1::2]  # [R, H, d / 2]
    cosine, sine = (part[:, tf.newaxis] for part in angles)
    turned = tf.stack(
        [first * cosine - second * sine, second * cosine + first * sine], axis=2
    )
    return tf.cast(tf.reshape(turned, tf.shape(x)), x.dtype)


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
