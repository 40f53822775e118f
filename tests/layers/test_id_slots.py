"""Slots of ids: against a table in plain Python, which follows the words."""

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.layers.id_slots import IdSlots

PRIME = 0x9E3779B97F4A7C15


def set_of(key, sets):
    """The hash of `tfadrec.ops.hashing`, in unbounded integers."""
    mixed = 0
    for _ in range(2):
        mixed = (mixed ^ key) * PRIME % 2**64
        signed = mixed - 2**64 if mixed >= 2**63 else mixed
        mixed = (signed ^ (signed >> 29)) % 2**64
    return (mixed - 2**64 if mixed >= 2**63 else mixed) % sets


class Reference:
    """Entry by entry: [id, count, step in which it was last met]."""

    def __init__(self, capacity, ways, admission, eviction):
        self.sets = [[None] * ways for _ in range(capacity // ways)]
        self.ways, self.admission = ways, admission
        self.rank = 1 if eviction == "least_frequent" else 2
        self.step = 0

    def slots(self, key):
        return self.sets[set_of(key, len(self.sets))]

    def row(self, key):
        number = set_of(key, len(self.sets))
        for way, entry in enumerate(self.sets[number]):
            if entry and entry[0] == key and entry[1] >= self.admission:
                return 1 + number * self.ways + way
        return 0

    def train(self, keys):
        self.step += 1
        without = []
        for key in dict.fromkeys(keys):
            entries = [e for e in self.slots(key) if e and e[0] == key]
            if entries:
                entries[0][1] += keys.count(key)
                entries[0][2] = self.step
            elif key:
                without.append(key)
        leaving = [self.leaving(slots) for slots in self.sets]
        for key in without:
            number = set_of(key, len(self.sets))
            if leaving[number]:
                way, needed = leaving[number].pop(0)
                if keys.count(key) >= needed:
                    entry = [key, keys.count(key), self.step]
                    self.sets[number][way] = entry
        return [self.row(key) for key in keys]

    def leaving(self, slots):
        """Ways in the order in which they are given, and from which count."""
        free = [w for w, e in enumerate(slots) if e is None]
        old = [w for w, e in enumerate(slots) if e and e[2] < self.step]
        old.sort(key=lambda w: slots[w][self.rank])
        needed = [slots[w][1] if self.rank == 1 else 0 for w in old]
        return [(w, 0) for w in free] + list(
            zip(old, [0, *needed[1:]], strict=False)
        )


@pytest.mark.parametrize(
    ("admission", "eviction"),
    [
        *((1, "least_frequent"), (3, "oldest")),
        pytest.param(1, "oldest", marks=pytest.mark.slow),
        pytest.param(3, "least_frequent", marks=pytest.mark.slow),
    ],
)
def test_follows_the_reference(eviction, admission):
    random = np.random.default_rng(admission)
    slots = IdSlots(24, ways=4, admission=admission, eviction=eviction)
    expected = Reference(24, 4, admission, eviction)
    train = tf.function(lambda ids: slots(ids, training=True))
    has_row = 0
    for _ in range(120):
        keys = (random.zipf(1.3, size=19) % 90 - 3).tolist()
        rows = train(tf.constant(keys, tf.int64)).numpy().tolist()
        assert rows == expected.train(keys)
        has_row += np.count_nonzero(rows)
    assert has_row > 200
    keys = list(range(-5, 90))
    known = slots(tf.constant(keys, tf.int64)).numpy().tolist()
    assert known == [expected.row(key) for key in keys]
    # Asking changes nothing.
    assert slots(tf.constant(keys, tf.int64)).numpy().tolist() == known


def test_ids_of_one_batch_do_not_take_each_others_slots():
    slots = IdSlots(2, ways=2)
    rows = slots(tf.constant([5, 6, 7, 5], tf.int64), training=True).numpy()
    assert sorted(rows[:2]) == [1, 2]
    assert rows[2] == 0
    assert rows[3] == rows[0]


def test_many_ids_of_a_batch_do_not_push_out_those_that_come_often():
    slots = IdSlots(4, ways=4)
    for ids in ([5, 6, 7, 8], [5, 6, 7, 8], [5, 7]):
        slots(tf.constant(ids, tf.int64), training=True)
    # 6 and 8 were met twice, 5 and 7 three times. 10 has the place of 6, as
    # the first. 11 is in the batch twice, and has that of 8; 12 is in it
    # once, and does not have that of 5.
    new = tf.constant([10, 11, 11, 12], tf.int64)
    rows = slots(new, training=True).numpy()
    assert rows.tolist() == [2, 4, 4, 0]
    assert slots.taken.numpy().tolist() == [2, 4]
    known = slots(tf.constant([5, 6, 7, 8], tf.int64)).numpy()
    assert known.tolist() == [1, 0, 3, 0]


def test_taken_are_the_rows_that_changed_hands():
    slots = IdSlots(4, ways=4, eviction="oldest")
    for ids, taken in (([5, 6, 7, 8], [1, 2, 3, 4]), ([6], []), ([9], [1])):
        slots(tf.constant(ids, tf.int64), training=True)
        assert slots.taken.numpy().tolist() == taken


def test_large_ids_and_any_shape():
    slots = IdSlots(64)
    ids = tf.constant([[2**63 - 1, -(2**63)], [0, 1]], tf.int64)
    rows = slots(ids, training=True).numpy()
    assert rows.shape == (2, 2)
    assert len(set(rows.ravel())) == 4
    assert rows[1, 0] == 0


def test_sets_are_filled_evenly():
    slots = IdSlots(8000, ways=8)
    slots(tf.range(1, 4001, dtype=tf.int64), training=True)
    rows = slots(tf.range(1, 4001, dtype=tf.int64)).numpy()
    # Poisson of mean 4 beyond 8: one in a hundred is without.
    assert np.count_nonzero(rows == 0) < 120


def test_saved_and_read_again(tmp_path):
    inputs = keras.Input([], dtype=tf.int64)
    slots = IdSlots(16, admission=2, eviction="oldest")
    model = keras.Model(inputs, slots(inputs))
    ids = tf.constant([3, 4, 3, 2**50], tf.int64)
    slots(ids, training=True)
    model.save(tmp_path / "slots.keras")
    model.export(tmp_path / "served")
    expected = slots(ids).numpy()
    assert list(expected > 0) == [True, False, True, False]
    read = keras.models.load_model(tmp_path / "slots.keras")
    np.testing.assert_array_equal(read(ids).numpy(), expected)
    served = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_array_equal(served.serve(ids).numpy(), expected)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"capacity": 10}, "a multiple of `ways`.*capacity=10, ways=8"),
        ({"capacity": 0}, "capacity=0"),
        ({"capacity": 8, "admission": 0}, "admission=0"),
        ({"capacity": 8, "eviction": "lru"}, "one of least_frequent, oldest"),
    ],
)
def test_wrong_arguments(arguments, said):
    with pytest.raises(ValueError, match=said):
        IdSlots(**arguments)


def test_wrong_ids():
    with pytest.raises(ValueError, match=r"must be int \[\.\.\.\].*float32"):
        IdSlots(8)(tf.constant([1.0]))
