"""Work on pairs of an event and a candidate, in blocks that fit a cache.

What a network makes of every pair, [B, T, C, H], is far larger than what goes
in and comes out. A processor then waits for its memory. In blocks of a few
thousand pairs the hidden layers stay in the cache, and where each block is
worked out again on the way back, none of them has to be kept.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfadrec.ops import xla
from tfadrec.ops.custom_gradient import custom_gradient

#: Pairs in a block: smaller ones lose more to the loop, and to short ops that
#: cores share, than the cache gives.
_PAIRS = 25_600
#: Blocks under way at once: few ops of a block are long enough for two cores.
_PARALLEL = 2


def map_pairs(
    function: Callable[..., tf.Tensor],
    events: tf.Tensor,
    mask: tf.Tensor,
    target: tf.Tensor,
    weights: Sequence[tf.Tensor],
) -> tf.Tensor:
    """A function of users' events and candidates, some pairs at a time.

    A block has all events of some users, and all of their candidates; where
    one user has more pairs than fit, some of the candidates. On GPUs and under
    XLA there is one block. One block needs no loop. The gradient cannot be
    differentiated again.

    Args:
      function: what to apply to events [b, T, D], mask [b, T], target
        [b, c, D] and the weights; it gives [b, c, D], treats each user and each
        candidate alone, and reads no variables.
      events: float [B, T, D].
      mask: bool [B, T].
      target: float [B, C, D].
      weights: what the function reads besides, float.

    Returns:
      What the function gives, [B, C, D].
    """
    if xla.is_compiling() or tf.config.list_physical_devices("GPU"):
        return function(events, mask, target, *weights)

    @custom_gradient
    def mapped(events, target, *weights):
        sizes = _sizes(events, target)

        def work(block):
            return function(
                block.users(events),
                block.users(mask),
                block.pairs(target),
                *weights,
            )

        def gradient(upstream):
            return _gradient(
                function, events, mask, target, weights, upstream, sizes
            )

        out = tf.cond(
            sizes[-1] > 1,
            lambda: _forth(work, target, sizes),
            lambda: function(events, mask, target, *weights),
        )
        return out, gradient

    return mapped(events, target, *weights)


class _Block:
    """Block `i`: some users, and the candidates of one of `splits` blocks."""

    def __init__(self, i, users, slate, splits) -> None:
        first_user = i // splits * users
        first = i % splits * slate
        self._users = slice(first_user, first_user + users)
        self._slate = slice(first, first + slate)

    def users(self, tensor):
        return tensor[self._users]

    def pairs(self, tensor):
        return tensor[self._users, self._slate]


def _sizes(events, target):
    """Users and candidates in a block, blocks of one user, and of all."""
    time = tf.maximum(tf.shape(events)[1], 1)
    batch, slate, _ = tf.unstack(tf.shape(target))
    some = _even(slate, _PAIRS // time)
    users = _even(batch, _PAIRS // (time * tf.maximum(slate, 1)))
    splits = tf.maximum(-(-slate // some), 1)
    count = tf.maximum(-(-batch // users), 1) * splits
    return users, some, splits, count


def _even(count, most):
    """How many go into a block: at most `most`, in full rounds of blocks."""
    most = tf.maximum(most, 1)
    rounds = -(-count // (most * _PARALLEL))
    parts = tf.where(count > most, rounds * _PARALLEL, 1)
    return tf.maximum(-(-count // parts), 1)


def _forth(work, target, sizes):
    users, slate, splits, count = sizes
    batch, candidates, _ = tf.unstack(tf.shape(target))

    def body(i, array):
        out = work(_Block(i, users, slate, splits))
        return i + 1, array.write(i, _flat(out))

    out = tf.TensorArray(
        target.dtype,
        count,
        infer_shape=False,  # the last block may be smaller
        element_shape=[None, target.shape[-1]],
    )
    _, out = tf.while_loop(
        lambda i, _: i < count, body, (0, out), parallel_iterations=_PARALLEL
    )
    return tf.reshape(out.concat(), [batch, candidates, target.shape[-1]])


def _gradient(function, events, mask, target, weights, upstream, sizes):
    users, slate, splits, count = sizes
    batch, time, width = tf.unstack(tf.shape(events))

    def body(i, d_events, d_target, sums):
        block = _Block(i, users, slate, splits)
        given = (block.users(events), block.pairs(target), *weights)
        with tf.GradientTape() as tape:
            tape.watch(given)
            out = function(given[0], block.users(mask), *given[1:])
        of_events, of_target, *parts = tape.gradient(
            out, given, block.pairs(upstream), unconnected_gradients="zero"
        )
        # In float32, or a long sum would lose its small terms.
        sums = [
            total + tf.cast(part, tf.float32)
            for total, part in zip(sums, parts, strict=True)
        ]
        return (
            i + 1,
            d_events.write(i, _flat(of_events)),
            d_target.write(i, _flat(of_target)),
            sums,
        )

    arrays = [
        tf.TensorArray(
            x.dtype,
            count,
            infer_shape=False,
            element_shape=[None, x.shape[-1]],
        )
        for x in (events, target)
    ]
    sums = [tf.zeros(tf.shape(x)) for x in weights]
    _, d_events, d_target, sums = tf.while_loop(
        lambda i, *_: i < count,
        body,
        (0, *arrays, sums),
        parallel_iterations=_PARALLEL,
    )
    # A user whose candidates are in several blocks has a part in each.
    d_events = tf.reshape(d_events.concat(), [batch, splits, time, width])
    d_events = tf.cond(
        splits > 1,
        lambda: tf.reduce_sum(d_events, axis=1),
        lambda: tf.reshape(d_events, [batch, time, width]),
    )
    return (
        d_events,
        tf.reshape(d_target.concat(), tf.shape(target)),
        *[
            tf.cast(total, x.dtype)
            for total, x in zip(sums, weights, strict=True)
        ],
    )


def _flat(tensor):
    return tf.reshape(tensor, [-1, tensor.shape[-1]])
