"""A gated recurrent network over time, and its gradient written out.

Left to automatic differentiation, a loop keeps every value of every step for
the way back. Here the way back works a step's gates out again from the state
before it. That takes no longer, only the states are kept, and a model that
does not train pays nothing.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfadrec.ops.custom_gradient import custom_gradient


def input_gates(
    inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
) -> list[tf.Tensor]:
    """What the inputs bring to the gates of all steps, before the loop.

    Args:
      inputs: float [T, B, D].
      kernel: float [D, 3 H], of the update gate, the reset gate and the new
        state.
      bias: float [3 H].

    Returns:
      Three of float [T, B, H].
    """
    time, batch, width = tf.unstack(tf.shape(inputs))
    rows = tf.reshape(inputs, [time * batch, width])
    # A product per gate: to cut a joint one apart costs a copy each way.
    return [
        tf.reshape(tf.nn.bias_add(rows @ k, b), [time, batch, k.shape[-1]])
        for k, b in zip(tf.split(kernel, 3, -1), tf.split(bias, 3), strict=True)
    ]


def gru(
    gates: Sequence[tf.Tensor], kernel: tf.Tensor, attention: tf.Tensor
) -> tf.Tensor:
    """The states of a GRU whose update gate is scaled by an attention.

    With the inputs' parts x^u, x^r and x^n of the gates, from h_0 = 0:

        u_t = sigmoid(x^u_t + h_{t-1} U^u)
        r_t = sigmoid(x^r_t + h_{t-1} U^r)
        n_t = tanh(x^n_t + r_t * (h_{t-1} U^n))
        h_t = (1 - a_t u_t) * h_{t-1} + a_t u_t * n_t

    which is AUGRU of Zhou et al. (DIEN, 2019, equations 2-5, 11 and 12), and
    a GRU where a_t = 1. Where a_t = 0 the state stays as it is: that is how a
    step is masked. The gates belong to a user, attention and states to each of
    a user's candidates. The gradient cannot be differentiated again.

    Args:
      gates: x^u, x^r and x^n, three of float [T, B, H], finite everywhere. T
        may be 0, but not where XLA compiles.
      kernel: float [H, 3 H], the U of the three.
      attention: float [T, B, C].

    Returns:
      float [T + 1, B, C, H], the first one zeros.
    """
    return _gru(*gates, kernel, attention)


@custom_gradient
def _gru(update, reset, new, kernel, attention):
    time, batch, slate = tf.unstack(tf.shape(attention))
    width, dtype = kernel.shape[0], kernel.dtype
    kernels = tf.split(kernel, 3, axis=-1)

    def gates(t, state):
        u = tf.sigmoid(update[t][:, None, :] + _product(state, kernels[0]))
        r = tf.sigmoid(reset[t][:, None, :] + _product(state, kernels[1]))
        s = _product(state, kernels[2])
        return u, r, s, tf.tanh(new[t][:, None, :] + r * s)

    def forth(t, state, states):
        u, _, _, n = gates(t, state)
        state += attention[t][:, :, None] * u * (n - state)
        return t + 1, state, states.write(t + 1, state)

    first = tf.zeros([batch, slate, width], dtype)
    _, _, states = tf.while_loop(
        lambda t, *_: t < time, forth, (0, first, _array(first, time))
    )
    states = states.stack()

    def gradient(upstream):
        # d is the gradient of the state after step t, d_x that of what goes
        # into the sigmoid or tanh of gate x.
        def back(t, d, d_kernel, arrays):
            a, state = attention[t][:, :, None], states[t]
            u, r, s, n = gates(t, state)
            change, moved = d * (n - state), d * (a * u)
            d_u = tf.raw_ops.SigmoidGrad(y=u, dy=a * change)
            d_n = tf.raw_ops.TanhGrad(y=n, dy=moved)
            d_r = tf.raw_ops.SigmoidGrad(y=r, dy=d_n * s)
            products = (d_u, d_r, d_n * r)
            before = map(_back_product, products, kernels)
            d = tf.add_n([upstream[t], d - moved, *before])
            outer = tf.concat([_outer(state, x) for x in products], axis=-1)
            # In float32, or a long sum would lose its small terms.
            d_kernel += tf.cast(outer, tf.float32)
            parts = [tf.reduce_sum(x, axis=1) for x in (d_u, d_r, d_n)]
            parts.append(tf.reduce_sum(u * change, axis=2))
            arrays = [
                array.write(t + 1, part)
                for array, part in zip(arrays, parts, strict=True)
            ]
            return t - 1, d, d_kernel, arrays

        sizes = ([batch, width],) * 3 + ([batch, slate],)
        arrays = [_array(tf.zeros(size, dtype), time) for size in sizes]
        d_kernel = tf.zeros(kernel.shape)
        _, _, d_kernel, arrays = tf.while_loop(
            lambda t, *_: t >= 0,
            back,
            (time - 1, upstream[time], d_kernel, arrays),
        )
        *d_gates, d_attention = (array.stack()[1:] for array in arrays)
        return *d_gates, tf.cast(d_kernel, dtype), d_attention

    return states, gradient


def _array(first, size):
    """An array of what comes before all steps, and of `size` steps.

    An array without elements could not be stacked.
    """
    shape = [None] * (first.shape.rank - 1) + [first.shape[-1]]
    array = tf.TensorArray(first.dtype, size + 1, element_shape=shape)
    return array.write(0, first)


def _product(vectors, kernel):
    """[B, C, H] times [H, H], as one product of matrices."""
    product = tf.matmul(_rows(vectors), kernel)
    return tf.reshape(product, tf.shape(vectors))


def _back_product(vectors, kernel):
    """[B, C, H] times the transposed [H, H]."""
    product = tf.matmul(_rows(vectors), kernel, transpose_b=True)
    return tf.reshape(product, tf.shape(vectors))


def _outer(one, other):
    """The sum of the outer products of the vectors of [B, C, H]: [H, H]."""
    return tf.matmul(_rows(one), _rows(other), transpose_a=True)


def _rows(vectors):
    return tf.reshape(vectors, [-1, vectors.shape[-1]])
