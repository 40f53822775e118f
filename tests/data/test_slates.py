"""Rows put together as requests, by hand."""

import numpy as np
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.encoded.request_contexts import other_contexts
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions
from tfadrec.data.slates import Slates


def rows(requests, **columns):
    """Impressions of one user at one time, where nothing else is said."""
    n = len(requests)
    fields = {
        "users": np.ones(n, np.int32),
        "times": np.zeros(n, np.int64),
        "history_starts": np.zeros(n, np.int64),
        "history_ends": np.ones(n, np.int64),
    }
    fields |= {
        name: np.array(v) for name, v in columns.items() if name in fields
    }
    return Impressions(
        requests=np.array(requests, np.int64),
        ads=np.arange(n, dtype=np.int32),
        labels={"clicked": np.zeros(n, np.float32)},
        columns={k: np.array(v) for k, v in columns.items() if k not in fields},
        **fields,
    )


def log(ads, types=None):
    ads = np.array(ads, np.int32)
    types = np.ones(len(ads)) if types is None else types
    return EventLog(None, ads, np.array(types, np.int32), None)


#: Every event is of another ad.
EVENTS = log(range(10))


def slates(impressions, context=(), max_candidates=100, events=EVENTS):
    made = Slates.of(impressions, context, max_candidates, events)
    assert made.sizes.min(initial=1) >= 1
    return [
        made.rows[start : start + size].tolist()
        for start, size in zip(made.starts, made.sizes, strict=True)
    ]


def test_rows_of_a_request_come_together_in_the_order_of_the_rows():
    # The request whose first row comes first is the first, whatever it is
    # called, and its rows keep their order.
    found = slates(rows([7, 2, 7, 3, 2, 7]))
    assert found == [[0, 2, 5], [1, 4], [3]]


def test_one_request_of_all_and_none():
    assert slates(rows([5, 5, 5])) == [[0, 1, 2]]
    assert slates(rows([])) == []
    assert slates(rows([1, 2, 3])) == [[0], [1], [2]]


@pytest.mark.parametrize(
    "key", ["users", "times", "history_starts", "history_ends"]
)
def test_rows_of_another_user_time_or_history_are_a_request_of_their_own(key):
    found = slates(rows([1, 1, 1, 2], **{key: [4, 9, 4, 4]}))
    assert found == [[0, 2], [1], [3]]


def test_histories_that_say_the_same_are_the_same():
    """As where every row of a log has brought its own copy along."""
    starts = [0, 2, 4, 6]
    shown = rows([1, 1, 1, 1], history_starts=starts, history_ends=[2, 4, 6, 8])
    ads = [5, 7, 5, 7, 5, 8, 5, 7]
    assert slates(shown, events=log(ads)) == [[0, 1, 3], [2]]
    types = [1, 1, 1, 2, 1, 1, 1, 1]
    assert slates(shown, events=log(ads, types)) == [[0, 3], [1], [2]]
    # Nothing is like nothing, wherever it stands; and not like something.
    shown = rows([1, 1, 1], history_starts=[0, 2, 4], history_ends=[0, 2, 5])
    assert slates(shown, events=log(ads)) == [[0, 1], [2]]


def test_copies_of_two_histories_by_turns(monkeypatch):
    """Wherever they stand, and in the order of the rows."""
    monkeypatch.setattr("tfadrec.data.slates._AT_ONCE", 3)
    n = 7
    starts = np.arange(n) * 2
    shown = rows([1] * n, history_starts=starts, history_ends=starts + 2)
    told = np.array([[3, 4], [4, 3], [3, 4], [4, 3], [3, 4], [9, 9], [3, 4]])
    events = log(told.reshape(-1))
    assert slates(shown, events=events) == [[0, 2, 4, 6], [1, 3], [5]]
    by_two = [[0, 2], [1, 3], [4, 6], [5]]
    assert slates(shown, (), 2, events) == by_two


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (1, [[0], [1], [2], [3], [4], [5]]),
        (2, [[0, 2], [1, 3], [4, 5]]),
        (3, [[0, 2, 4], [1, 3], [5]]),
        (4, [[0, 2, 4, 5], [1, 3]]),
    ],
)
def test_a_larger_request_becomes_several(most, expected):
    # The rows 0, 2, 4, 5 are of one request, 1 and 3 of another.
    assert slates(rows([8, 3, 8, 3, 8, 8]), (), most) == expected


@pytest.mark.parametrize(
    ("column", "different"),
    [
        ([1, 5, 1, 2], 1),
        ([1.0, 5.0, np.nan, 2.0], 2),
        ([[1, 0], [5, 0], [1, 7], [2, 9]], 2),
    ],
)
def test_a_request_has_one_context(column, different):
    impressions = rows([6, 4, 6, 6], hour=column)
    message = rf"one context\. Received: {different} rows where 'hour'"
    with pytest.raises(InputError, match=message):
        slates(impressions, ["hour"])
    # Side by side they are counted without being put together.
    beside = rows([6, 6, 6, 4], hour=[*column[:1], *column[2:], column[1]])
    context = {"the hour": ["hour", "none"], "nothing": []}
    assert other_contexts(beside, context) == {
        "the hour": different,
        "nothing": 0,
    }
    # What does not belong to the request may differ.
    assert slates(impressions) == [[0, 2, 3], [1]]


def test_a_missing_context_is_like_itself():
    nan = np.nan
    impressions = rows([6, 4, 6, 4], hour=[nan, 1.0, nan, 1.0])
    assert slates(impressions, ["hour"]) == [[0, 2], [1, 3]]


@pytest.mark.parametrize("most", [0, -1, 2.0, None])
def test_bad_max_candidates(most):
    with pytest.raises(
        InputError, match=rf"an integer >= 1\. Received: {most}"
    ):
        slates(rows([1]), (), most)


def test_against_a_loop():
    random = np.random.default_rng(0)
    requests, users = random.integers(0, 60, 300), random.integers(0, 2, 300)
    by_key = {}
    for row, key in enumerate(zip(requests, users, strict=True)):
        by_key.setdefault(key, []).append(row)
    expected = sorted(
        part[i : i + 3]
        for part in by_key.values()
        for i in range(0, len(part), 3)
    )
    assert slates(rows(requests, users=users), (), 3) == expected
