"""Ages, places and choices, by hand and against loops."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.ops import sequence

MASK = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], bool)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_age_is_the_power_of_two_below(jit_compile):
    # 1 + age = 2^k belongs to k, one second less to k - 1.
    powers = np.arange(1, 31)
    ages = np.concatenate([2**powers - 1, 2**powers - 2, [2**31 - 1, 0, -5]])
    expected = np.concatenate([powers, powers - 1, [31, 0, 0]])
    assert expected.max() == sequence.NUM_AGE_BUCKETS - 1
    function = tf.function(sequence.age_buckets, jit_compile=jit_compile)
    buckets = function(tf.constant(ages.reshape(9, -1), tf.int32))
    np.testing.assert_array_equal(buckets, expected.reshape(9, -1))


def test_how_many_events_ago():
    ago = sequence.events_ago(tf.constant(MASK)).numpy()
    for b, t in zip(*np.nonzero(MASK), strict=True):
        assert ago[b, t] == MASK[b, t + 1 :].sum()


@pytest.mark.parametrize("dtype", ["float16", "int32"])
def test_the_newest(dtype):
    values = np.arange(16).reshape(4, 4, 1) + np.array([0, 100])
    values = tf.constant(values, dtype)
    if dtype == "float16":
        values = tf.where(MASK[..., None], values, np.nan)
    out = sequence.newest(values, tf.constant(MASK))
    assert out.dtype == dtype
    np.testing.assert_array_equal(
        out, [[[2, 102]], [[6, 106]], [[0, 0]], [[15, 115]]]
    )


def test_the_newest_of_no_events():
    out = sequence.newest(tf.zeros([2, 0, 3]), tf.zeros([2, 0], tf.bool))
    np.testing.assert_array_equal(out, np.zeros([2, 1, 3]))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("k", [1, 3, 9])
def test_the_top_events(k, jit_compile):
    random = np.random.default_rng(0)
    scores = random.permuted(np.arange(48.0)).reshape(4, 3, 4) - 24
    # NaN and infinities may stand in padding.
    scores = np.where(MASK[:, None], scores, [np.nan, np.inf, -np.inf, 99])
    function = tf.function(sequence.top_events, jit_compile=jit_compile)
    events, is_real = (
        part.numpy()
        for part in function(
            tf.constant(scores, tf.float32), MASK[:, None], tf.constant(k)
        )
    )
    assert events.shape == is_real.shape == (4, 3, min(k, 4))
    for b, c in np.ndindex(4, 3):
        real = np.flatnonzero(MASK[b])
        best = sorted(real, key=lambda t: -scores[b, c, t])[:k]
        chosen = events[b, c, is_real[b, c]]
        assert sorted(chosen) == sorted(best)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_newer_of_equals(jit_compile):
    scores = tf.constant([[[2.0, 1, 2, 1, 2, 1, 1, 9]]])
    mask = np.arange(8) < 7
    function = tf.function(sequence.top_events, jit_compile=jit_compile)
    for k, expected in ((2, [2, 4]), (5, [0, 2, 4, 5, 6])):
        events, is_real = function(scores, mask, tf.constant(k))
        assert sorted(events[0, 0].numpy()) == expected
        assert is_real.numpy().all()


def test_the_top_of_no_events():
    for part in sequence.top_events(
        tf.zeros([2, 3, 0]), tf.zeros([2, 1, 0], tf.bool), 5
    ):
        assert part.shape == [2, 3, 0]
