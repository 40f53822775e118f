"""Faults that can be planted into any log: name, where, level, planter."""

import dataclasses

import numpy as np

from tfadrec.core.feature import Feature
from tfadrec.data import EventLog

DAY = 86_400
_RNG = np.random.default_rng(0)


def _rows(dataset, **fields):
    impressions = dataclasses.replace(dataset.impressions, **fields)
    return dataclasses.replace(dataset, impressions=impressions)


def _clicked(dataset):
    return dataset.impressions.labels["clicked"] == 1


def _column(dataset, values, **feature):
    """With one more feature of the context, called `planted`."""
    made = Feature("planted", "context", **feature)
    schema = dataclasses.replace(
        dataset.schema, features=(*dataset.schema.features, made)
    )
    columns = {**dataset.impressions.columns, "planted": values}
    with_schema = dataclasses.replace(dataset, schema=schema)
    return _rows(with_schema, columns=columns)


def _number(dataset, values):
    values = np.asarray(values, np.float32)
    return _column(dataset, values, kind="number", mean=0.0, std=1.0)


def _category(dataset, values):
    values = np.asarray(values, np.int32)
    return _column(dataset, values, kind="category", vocabulary=("a", "b"))


def _halves(codes, size, clicked):
    half = size // 2
    codes = codes % half + 1
    return np.where(clicked, codes, codes + half).astype(np.int32)


def _leaking_ads(dataset):
    size = len(dataset.catalogue)
    ads = _halves(dataset.impressions.ads, size, _clicked(dataset))
    return _rows(dataset, ads=ads)


def _leaking_users(dataset):
    size = len(dataset.user_ids)
    users = _halves(dataset.impressions.users, size, _clicked(dataset))
    return _rows(dataset, users=users)


def _one_event(dataset, ads, users=None, times=None):
    """Each row with a history of one event of its own."""
    count = len(ads)
    log = EventLog(
        users=users,
        ads=ads.astype(np.int32),
        types=np.ones(count, np.int32),
        times=times,
    )
    return _rows(
        dataclasses.replace(dataset, events=log),
        history_starts=np.arange(count),
        history_ends=np.arange(count) + 1,
    )


def _future_events(dataset):
    rows = dataset.impressions
    times = rows.times + DAY
    return _one_event(
        dataset, rows.ads % len(dataset.catalogue) + 1, None, times
    )


def _answers(dataset):
    ads = dataset.impressions.ads
    other = ads % len(dataset.catalogue) + 1
    return _one_event(dataset, np.where(_clicked(dataset), ads, other))


def _somebody_else(dataset):
    """Of the user whose row is one more."""
    size = len(dataset.user_ids) + 2
    log = EventLog(
        users=np.arange(size, dtype=np.int32),
        ads=np.ones(size, np.int32),
        types=np.ones(size, np.int32),
        times=None,
    )
    other = dataset.impressions.users.astype(np.int64) + 1
    return _rows(
        dataclasses.replace(dataset, events=log),
        history_starts=other,
        history_ends=other + 1,
    )


def _no_history(dataset):
    nothing = np.zeros(len(dataset), np.int64)
    return _rows(dataset, history_starts=nothing, history_ends=nothing)


def _by_four(dataset, **fields):
    requests = np.arange(len(dataset)) // 4
    return _rows(dataset, requests=requests, **fields)


def _split(dataset, marks):
    splits = np.where(marks, "train", "test").astype(object)
    return _by_four(dataset, splits=splits)


def _twice(dataset):
    every = np.arange(len(dataset))
    return dataset.select(np.sort(np.concatenate([every, every[::8]])))


def _tried_again(dataset):
    twice = _twice(dataset)
    every = np.arange(len(dataset))
    source = np.sort(np.concatenate([every, every[::8]]))
    again = np.r_[False, np.diff(source) == 0]
    return _rows(twice, times=twice.impressions.times + again)


def _titles(dataset, titles):
    catalogue = dataclasses.replace(dataset.catalogue, titles=titles)
    return dataclasses.replace(dataset, catalogue=catalogue)


def _one_class_requests(dataset):
    first = dataset.impressions.labels["clicked"][::4]
    clicked = np.repeat(first, 4)[: len(dataset)]
    return _by_four(dataset, labels={"clicked": clicked})


def _swapped(dataset):
    count = len(dataset)
    months = np.datetime64("2023-01") + np.sort(_RNG.integers(0, 12, count))
    days = months.astype("M8[D]") + _RNG.integers(0, 12, count)
    seconds = days.astype("M8[s]").astype(np.int64)
    return _rows(dataset, times=seconds + _RNG.integers(0, DAY, count))


def _hole(dataset):
    times = dataset.impressions.times
    late = times > np.median(times)
    return _rows(dataset, times=times + late * 4 * (np.ptp(times) + DAY))


def _drawn_from_all(dataset):
    """Ads live for a fiftieth of the log each; negatives are any of them."""
    count, size = len(dataset), len(dataset.catalogue)
    ranks = np.argsort(np.argsort(dataset.impressions.times, kind="stable"))
    per = min(size // 50, 10)
    alive = ranks * 50 // count * per + _RNG.integers(0, per, count) + 1
    anyone = _RNG.integers(1, 50 * per + 1, count)
    ads = np.where(_clicked(dataset), alive, anyone).astype(np.int32)
    return _rows(dataset, ads=ads)


def _some_unknown(values):
    every = np.arange(len(values)) % 5 == 0
    return np.where(every, 0, values).astype(np.int32)


FAULTS = [
    *[
        ("label_copy", "context.planted", "error", plant)
        for plant in (
            lambda d: _number(d, 2.0 * _clicked(d) - 1),
            lambda d: _category(d, _clicked(d) + 1),
            lambda d: _number(d, np.where(_clicked(d), 0.5, np.nan)),
        )
    ],
    ("leaking_id", "ad id", "error", _leaking_ads),
    ("leaking_id", "user id", "error", _leaking_users),
    ("future_event", "history", "error", _future_events),
    ("answer_in_history", "history", "error", _answers),
    ("foreign_history", "history", "error", _somebody_else),
    ("no_history", "history", "warning", _no_history),
    (
        *("split_request", "split", "error"),
        lambda d: _split(d, np.arange(len(d)) % 2),
    ),
    (
        *("split_time", "split", "warning"),
        lambda d: _split(d, np.arange(len(d)) // 4 % 2),
    ),
    ("duplicate", "impressions", "warning", _twice),
    ("near_duplicate", "impressions", "note", _tried_again),
    (
        *("copied_ads", "catalogue", "note"),
        lambda d: _titles(d, ["Buy now"] * len(d.catalogue)),
    ),
    (
        *("text_cut", "title", "warning"),
        lambda d: _titles(
            d, [f"Number {n:05d} of many"[:15] for n in range(len(d.catalogue))]
        ),
    ),
    ("sampler_leak", "negatives", "error", _drawn_from_all),
    (
        *("one_class", "clicked", "error"),
        lambda d: _rows(d, labels={"clicked": np.zeros(len(d), np.float32)}),
    ),
    ("one_class_requests", "requests", "warning", _one_class_requests),
    (
        *("constant", "context.planted", "warning"),
        lambda d: _category(d, np.ones(len(d))),
    ),
    (
        *("unknown", "context.planted", "warning"),
        lambda d: _number(d, np.full(len(d), np.nan)),
    ),
    (
        *("unknown", "ad", "warning"),
        lambda d: _rows(d, ads=_some_unknown(d.impressions.ads)),
    ),
    (
        *("unknown", "user", "warning"),
        lambda d: _rows(d, users=_some_unknown(d.impressions.users)),
    ),
    (
        *("impossible_time", "timestamp", "error"),
        lambda d: _rows(d, times=d.impressions.times * 1000),
    ),
    ("swapped_dates", "timestamp", "error", _swapped),
    ("clock_jump", "timestamp", "warning", _hole),
    (
        *("same_second", "timestamp", "warning"),
        lambda d: _rows(d, times=d.impressions.times // (60 * DAY) * 60 * DAY),
    ),
]
