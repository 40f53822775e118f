"""Greedy choices, against loops in NumPy."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.ops.choose import choose


def chosen(worth, count, units, diversity, caps):
    """Places of one row."""
    left = [i for i in range(len(worth)) if np.isfinite(worth[i])]
    value = worth / max(worth.max(), 1e-30)
    found = []
    while left and len(found) < count:
        free = [
            i
            for i in left
            if all(
                cap < 1
                or group[i] == 0
                or sum(group[j] == group[i] for j in found) < cap
                for group, cap in caps
            )
        ]
        if not free:
            break
        near = [
            max((units[i] @ units[j] for j in found), default=0) for i in free
        ]
        gains = [
            (1 - diversity) * value[i] - diversity * n
            for i, n in zip(free, near, strict=True)
        ]
        best = free[int(np.argmax(gains if found else value[free]))]
        found.append(best)
        left.remove(best)
    return found


def test_as_a_loop_over_those_that_are_left():
    """Rows with another diversity and other caps each, and one of nothing."""
    random = np.random.default_rng(0)
    rows, size, count = 5, 40, 12
    worth = random.random((rows, size)).astype(np.float32)
    worth[:, 7:11] = -np.inf
    worth[4] = -np.inf
    units = random.normal(size=(rows, size, 3)).astype(np.float32)
    units /= np.linalg.norm(units, axis=2, keepdims=True)
    units[:, 3] = 0
    diversity = np.array([0, 0.4, 1, 7, 0.4], np.float32)
    brand = random.integers(0, 4, (rows, size)).astype(np.int32)
    shop = random.integers(0, 3, (rows, size)).astype(np.int32)
    at_most = np.array([2, 0, 3, 1, 1], np.int32)
    of_shop = np.array([0, 3, 4, 1, 1], np.int32)
    places, is_there = choose(
        tf.constant(worth),
        tf.constant(count),
        units=tf.constant(units),
        diversity=tf.constant(diversity),
        caps=[(tf.constant(brand), at_most), (tf.constant(shop), of_shop)],
    )
    lengths = []
    for row in range(rows):
        expected = chosen(
            worth[row],
            count,
            units[row],
            min(diversity[row], 1),
            [(brand[row], at_most[row]), (shop[row], of_shop[row])],
        )
        lengths.append(len(expected))
        found = places.numpy()[row][is_there.numpy()[row]]
        assert found.tolist() == expected
        assert is_there.numpy()[row, : len(expected)].all()
    assert lengths[4] == 0 < lengths[3] < count
    assert max(lengths) == count


def test_without_a_choice_it_is_the_order_of_worth():
    worth = tf.constant([[0.0, 3.0, 1.0], [0.0, 0.0, -np.inf]])
    places, is_there = choose(worth, tf.constant(3))
    assert places.numpy().tolist() == [[1, 2, 0], [0, 1, 0]]
    assert is_there.numpy().tolist() == [[True] * 3, [True, True, False]]
    # A diversity that is no number is none.
    places, _ = choose(
        worth,
        tf.constant(1),
        units=tf.zeros([2, 3, 2]),
        diversity=tf.constant([np.nan, np.nan]),
    )
    assert places.numpy().tolist() == [[1], [0]]


def test_of_nothing_nothing_is_chosen():
    """As where a client lists no ads."""
    places, is_there = choose(
        tf.zeros([2, 0]),
        tf.constant(3),
        units=tf.zeros([2, 0, 4]),
        diversity=tf.constant([0.5, 0.0]),
        caps=[(tf.zeros([2, 0], tf.int32), tf.constant([1, 0]))],
    )
    assert not is_there.numpy().any()
    assert places.numpy().tolist() == [[0] * 3] * 2


def test_the_first_is_the_best_whatever_the_diversity():
    """As there is nothing yet that it could be like."""
    worth = tf.constant([[1.0, 3.0, 2.0]])
    units = tf.constant([[[1.0, 0], [1, 0], [0, 1]]])
    for diversity in (1.0, 0.999, 0.5):
        places, _ = choose(
            worth,
            tf.constant(3),
            units=units,
            diversity=tf.constant([diversity]),
        )
        # Then the one at a right angle to it.
        assert places.numpy().tolist() == [[1, 2, 0]]
