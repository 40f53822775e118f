import datetime

import numpy as np
import pytest

from tfadrec.data.sources.periods import (
    PERIODS,
    calendar,
    share_with_room,
    shortest_period,
    sizes_of,
)


def seconds(text):
    moment = datetime.datetime.fromisoformat(text)
    return int(moment.replace(tzinfo=datetime.UTC).timestamp())


# 2024-01-07 is a Sunday.
TIMES = np.array(
    [
        seconds(text)
        for text in (
            "2024-01-07T23:59:59",
            "2024-01-08T00:00:00",
            "2023-12-31T12:00:00",
            "2024-01-31T23:00:00",
            "2024-02-01T00:00:00",
            "2024-01-08T23:59:59",
        )
    ]
)


@pytest.mark.parametrize(
    ("period", "numbers"),
    [
        ("day", [1, 2, 0, 3, 4, 2]),
        # 2023-12-31 is a Sunday too; 2024-01-31 and 02-01 lie in one week.
        ("week", [1, 2, 0, 3, 3, 2]),
        ("month", [1, 1, 0, 1, 2, 1]),
        ("year", [1, 1, 0, 1, 1, 1]),
        ("all", [0, 0, 0, 0, 0, 0]),
    ],
)
def test_periods(period, numbers):
    found = np.unique(calendar(TIMES, period), return_inverse=True)[1]
    assert found.tolist() == numbers


@pytest.mark.parametrize("period", PERIODS)
def test_no_times(period):
    assert len(calendar(np.zeros(0, np.int64), period)) == 0


def cut(values, ids):
    """Pairs in two pieces, each of which holds some ids whole."""
    values, ids = np.array(values, np.int64), np.array(ids, np.int64)
    odd = ids % 2 == 1
    return [(values[rows], ids[rows]) for rows in (odd, ~odd)]


def test_sizes():
    # Request 0 has two purchases in period 5 and one in -3, request 1 two.
    found = sizes_of(cut([5, -3, 5, 5, 5], [0, 0, 0, 1, 1]))
    rows = sorted(zip(*(column.tolist() for column in found), strict=True))
    assert rows == [(-3, 1, 1), (5, 2, 2)]


def room(periods, requests, ads, number, every_ad_alike=False):
    return share_with_room(
        sizes_of(cut(periods, requests)),
        sizes_of(cut(periods, ads)),
        negatives_per_positive=number,
        every_ad_alike=every_ad_alike,
    )


def test_room_in_requests():
    # Three ads in period 0: each request has two others, for two negatives.
    assert room([0, 0, 0], [0, 1, 2], [0, 1, 2], 2) == 1
    # For four negatives there are two: 6 of 12.
    assert room([0, 0, 0], [0, 1, 2], [0, 1, 2], 4) == 0.5
    # In periods of their own there is none.
    assert room([0, 1, 2], [0, 1, 2], [0, 1, 2], 2) == 0
    assert room([], [], [], 2) == 1


def test_room_for_ads():
    # Ad 0 is bought in 3 of 4 requests, so that one is left for 3 cards; ad 1
    # has its one card in any of the others: 2 of 4.
    assert room([0] * 4, [0, 1, 2, 3], [0, 0, 0, 1], 1) == 0.5
    # Alike, each has two cards: one fits of ad 0, two of ad 1. The requests
    # have room for all.
    assert room([0] * 4, [0, 1, 2, 3], [0, 0, 0, 1], 1, True) == 0.75


def test_the_shortest_period_with_room():
    def found(days, ads):
        times = np.array(days) * 86_400
        return shortest_period(
            lambda: cut(times, np.arange(len(days))),
            lambda: cut(times, ads),
            negatives_per_positive=1,
            every_ad_alike=False,
        )

    # 1970-01-05 (day 4) is a Monday. Two ads a day have room for each other.
    assert found([4, 4, 5, 5], [0, 1, 2, 3]) == "day"
    assert found([4, 5, 6, 7], [0, 1, 2, 3]) == "week"
    # Half of the purchases are alone on their days.
    assert found([4, 4, 5, 6], [0, 1, 2, 3]) == "week"
    assert found([4, 11, 18, 25], [0, 1, 2, 3]) == "month"
    assert found([4, 40, 80, 120], [0, 1, 2, 3]) == "year"
    assert found([4, 400, 800, 1200], [0, 1, 2, 3]) == "all"
    # An ad that nearly all buy has no room anywhere: long periods do not help.
    assert found([4, 4, 4, 5, 5, 5], [0, 0, 1, 0, 0, 1]) == "day"
