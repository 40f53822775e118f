"""Places and readers of a joint text, by hand."""

import numpy as np

from tfadrec.ops import joint_text


def test_the_newest_events_come_first():
    values = [[5, 6, 7, 9], [5, 9, 9, 9], [9, 9, 9, 9]]
    found = joint_text.newest(values, np.array([3, 1, 0]), 2)
    np.testing.assert_array_equal(found, [[7, 6], [5, 0], [0, 0]])


def test_of_no_events_there_is_none():
    none = np.zeros([2, 0], np.int32)
    found = joint_text.newest(none, np.array([0, 0]), 3)
    np.testing.assert_array_equal(found, np.zeros([2, 3]))


def test_who_reads_whom():
    """A token of the user and two candidates of two tokens each."""
    expected = [
        [1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 0, 0, 1, 1],
        [1, 0, 0, 1, 1],
    ]
    found = joint_text.reads(1, 2, 2)
    np.testing.assert_array_equal(found[0], np.array(expected, bool))
