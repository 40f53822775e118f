"""InBatchInfoNCE against an answer by hand and against NumPy."""

import numpy as np
import pytest

from tfadrec import losses
from tfadrec.core.door import keras, tf


def reference(ids, pairs, temperature, symmetric):
    """Row by row, with Python loops."""
    pairs = pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)

    def one_way(queries, keys, key_ids):
        found = []
        for i, query in enumerate(queries):
            kept = [
                j
                for j in range(len(keys))
                if j == i or key_ids[j] not in (ids[i][0], ids[i][1])
            ]
            exps = {j: np.exp(query @ keys[j] / temperature) for j in kept}
            found.append(-np.log(exps[i] / sum(exps.values())))
        return np.array(found)

    forth = one_way(pairs[:, 0], pairs[:, 1], ids[:, 1])
    back = one_way(pairs[:, 1], pairs[:, 0], ids[:, 0])
    return (forth + back) / 2 if symmetric else forth


def distinct(count):
    return np.arange(2 * count).reshape(count, 2)


@pytest.mark.parametrize("symmetric", [False, True])
def test_equal_pairs_that_are_orthogonal_to_each_other(symmetric):
    """The cosines are 1 and 0: -log(e^(1/t) / (e^(1/t) + B - 1))."""
    pairs = np.repeat(3 * np.eye(4)[:, None], 2, axis=1)
    loss = losses.InBatchInfoNCE(0.5, symmetric=symmetric)
    expected = np.log(1 + 3 / np.exp(2))
    assert float(loss(distinct(4), pairs)) == pytest.approx(expected, rel=1e-6)


def test_equal_vectors_tell_nothing():
    """Every pair is as likely as the others: log B."""
    loss = losses.InBatchInfoNCE()
    found = loss(distinct(5), np.ones([5, 2, 3]))
    assert float(found) == pytest.approx(np.log(5), rel=1e-6)


@pytest.mark.parametrize("symmetric", [False, True])
def test_like_numpy(symmetric):
    random = np.random.default_rng(0)
    pairs = random.normal(size=(6, 2, 8))
    # Row 3 has row 0's first thing second, row 4 repeats row 1, and row 5 is
    # one thing twice.
    ids = np.array([[0, 1], [2, 3], [4, 5], [6, 0], [2, 3], [7, 7]])
    loss = losses.InBatchInfoNCE(
        0.2, symmetric=symmetric, reduction=keras.losses.Reduction.NONE
    )
    expected = reference(ids, pairs, 0.2, symmetric)
    np.testing.assert_allclose(loss(ids, pairs), expected, rtol=1e-5)
    apart = reference(distinct(6), pairs, 0.2, symmetric)
    assert (np.abs(expected - apart) > 1e-3).any()


def test_what_is_the_same_thing_is_not_pushed_away():
    """Two rows of the same pair: each has no negative, and no gradient."""
    pairs = tf.constant(np.random.default_rng(1).normal(size=(2, 2, 3)))
    with tf.GradientTape() as tape:
        tape.watch(pairs)
        loss = losses.InBatchInfoNCE(symmetric=True)([[1, 2], [1, 2]], pairs)
    assert float(loss) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, pairs), 0, atol=1e-6)


def test_a_gradient_step_brings_a_pair_together():
    pairs = tf.Variable(np.random.default_rng(2).normal(size=(3, 2, 4)))
    loss = losses.InBatchInfoNCE(1.0)

    def cosine():
        x, y = pairs[0, 0], pairs[0, 1]
        return float(tf.reduce_sum(x * y) / (tf.norm(x) * tf.norm(y)))

    before = cosine()
    with tf.GradientTape() as tape:
        value = loss(distinct(3), pairs)
    pairs.assign_sub(0.5 * tape.gradient(value, pairs))
    assert cosine() > before


def test_half_precision_is_read():
    pairs = np.random.default_rng(3).normal(size=(4, 2, 3))
    loss = losses.InBatchInfoNCE(0.1)
    half = loss(distinct(4), tf.cast(pairs, tf.bfloat16))
    assert half.dtype == tf.float32
    np.testing.assert_allclose(half, loss(distinct(4), pairs), atol=0.1)


def test_its_config():
    loss = losses.InBatchInfoNCE(0.3, symmetric=True)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, losses.InBatchInfoNCE)
    assert again.get_config() == loss.get_config()
    assert (again.temperature, again.symmetric) == (0.3, True)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_wrong_temperature(temperature):
    with pytest.raises(ValueError, match="`temperature` must be > 0"):
        losses.InBatchInfoNCE(temperature)
