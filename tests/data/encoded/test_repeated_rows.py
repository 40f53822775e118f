"""Rows with weights that are read off a line that stands in a log twice."""

import dataclasses

import numpy as np
import pytest

from tfadrec.data.encoded.repeated_rows import repeated_rows
from tfadrec.data.impressions import Impressions


def rows(**fields):
    """Six rows of two requests, of which the last two are as the first two."""
    bid = np.float32([1, np.nan, 3, 4, 1, np.nan])
    topics = np.int32([[1, 2], [1, 0], [3, 0], [1, 2], [1, 2], [1, 0]])
    given = {
        "requests": np.int64([0, 0, 1, 1, 0, 0]),
        "users": np.int32([1, 1, 2, 2, 1, 1]),
        "ads": np.int32([1, 1, 1, 2, 1, 1]),
        "times": np.int64([5, 5, 6, 6, 5, 5]),
        "labels": {"clicked": np.float32([1, 0, 1, 0, 1, 0])},
        "columns": {"bid": bid, "topics": topics},
        "history_starts": np.zeros(6, np.int64),
        "history_ends": np.zeros(6, np.int64),
        "weights": np.array([3.0, 97, 3, 97, 3, 97]),
    }
    return Impressions(**given | fields)


def changed(part, name, row, value):
    """The rows, one value of which is another."""
    shown = rows()
    if part:
        values = dict(getattr(shown, part))
        values[name] = values[name].copy()
        values[name][row] = value
        return dataclasses.replace(shown, **{part: values})
    values = getattr(shown, name).copy()
    values[row] = value
    return dataclasses.replace(shown, **{name: values})


def test_rows_that_come_again():
    assert repeated_rows(rows()) == 2
    assert repeated_rows(rows(columns={})) == 2
    assert repeated_rows(rows(weights=None)) == 0
    assert repeated_rows(rows().take(np.arange(4))) == 0
    assert repeated_rows(rows().take(np.arange(0))) == 0
    # Three lines that are one are two too many.
    thrice = rows().take(np.array([0, 4, 0, 2, 1, 1, 3]))
    assert repeated_rows(thrice) == 3


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("", "requests", 2),
        ("", "users", 3),
        ("", "ads", 3),
        ("", "times", 7),
        ("", "weights", 2.0),
        ("labels", "clicked", 0),
        ("columns", "bid", np.nan),
        ("columns", "topics", [1, 3]),
    ],
)
def test_a_row_that_differs_in_one_value_is_none(part, name, value):
    assert repeated_rows(changed(part, name, 4, value)) == 1


def test_other_rows_between_do_not_hide_them():
    """Rows that differ in a list alone, in turns."""
    order = np.array([0, 0, 0, 0])
    shown = rows().take(order)
    topics = np.int32([[1, 2], [2, 1], [1, 2], [2, 1]])
    shown = dataclasses.replace(shown, columns={"topics": topics})
    assert repeated_rows(shown) == 2
