"""Work in blocks against the same work in one piece."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.ops import blocks

WIDTH = 3


def unit(events, mask, target, weight, bias):
    """sum_t tanh((k_t W) . q + b) k_t over real events."""
    logits = tf.matmul(events @ weight, target, transpose_b=True) + bias
    kept = tf.where(mask[:, :, None], tf.tanh(logits), 0)  # [b, T, c]
    return tf.matmul(kept, events, transpose_a=True)


def given(batch, time, slate):
    random = np.random.default_rng(0)
    events, target, weight, upstream = (
        tf.constant(random.normal(size=size), tf.float32)
        for size in (
            (batch, time, WIDTH),
            (batch, slate, WIDTH),
            (WIDTH, WIDTH),
            (batch, slate, WIDTH),
        )
    )
    mask = tf.constant(random.random((batch, time)) < 0.7)
    return events, mask, target, weight, tf.constant(0.3), upstream


@tf.function(reduce_retracing=True)
def run(events, mask, target, weight, bias, upstream, whole):
    floats = (events, target, weight, bias)
    with tf.GradientTape() as tape:
        tape.watch(floats)
        if whole:
            out = unit(events, mask, target, weight, bias)
        else:
            out = blocks.map_pairs(unit, events, mask, target, [weight, bias])
    return out, tape.gradient(out, floats, upstream)


# Blocks of at most 6 pairs: several users, one at a time, a slate cut in
# three, one event that fills a block, and nothing at all.
@pytest.mark.parametrize(
    "sizes",
    [(7, 2, 1), (3, 3, 2), (2, 3, 5), (2, 7, 2), (2, 0, 3), (0, 2, 2)],
)
def test_blocks_change_nothing(monkeypatch, sizes):
    monkeypatch.setattr(blocks, "_PAIRS", 6)
    inputs = given(*sizes)
    tf.nest.map_structure(
        lambda one, other: np.testing.assert_allclose(
            one, other, rtol=1e-5, atol=1e-6
        ),
        run(*inputs, whole=False),
        run(*inputs, whole=True),
    )


def test_a_block_holds_few_pairs(monkeypatch):
    monkeypatch.setattr(blocks, "_PAIRS", 6)
    seen = []

    def spy(events, mask, target):
        seen.append((events.shape[0], target.shape[1]))
        return target

    events, mask, target, *_ = given(3, 2, 5)
    blocks.map_pairs(spy, events, mask, target, [])
    assert seen == [(1, 3), (1, 2)] * 3
    seen.clear()
    events, mask, target, *_ = given(5, 3, 1)
    blocks.map_pairs(spy, events, mask, target, [])
    assert seen == [(2, 1), (2, 1), (1, 1)]
    seen.clear()
    # Not 3, 3 and 1: two blocks are under way at once, and 3 would wait for 1.
    events, mask, target, *_ = given(7, 2, 1)
    blocks.map_pairs(spy, events, mask, target, [])
    assert seen == [(2, 1), (2, 1), (2, 1), (1, 1)]
