"""Each planted fault is found by its name, and nothing on the clean log."""

import dataclasses

import numpy as np
import pytest

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data import Catalogue, Dataset, EventLog, Impressions
from tfadrec.diagnosis import examine_dataset, histories, rows_checks

ROWS, USERS, ADS, DAY = 2400, 200, 40, 86_400
FEATURES = (
    Feature("brand", "ad", "category", vocabulary=("x", "y", "z")),
    Feature("hour", "context", "number", mean=12.0, std=6.0),
    Feature("place", "candidate", "category", vocabulary=("top", "side")),
    Feature("age", "user", "number", mean=30.0, std=5.0),
)


def clean():
    """Requests of four ads over ninety days, clicked as the brand is liked."""
    rng = np.random.default_rng(0)
    requests = np.repeat(np.arange(ROWS // 4), 4)
    users = rng.integers(1, USERS + 1, ROWS // 4)[requests].astype(np.int32)
    start = 1_700_000_000
    times = np.sort(start + rng.integers(0, 90 * DAY, ROWS // 4))[requests]
    ads = np.concatenate(
        [rng.permutation(ADS)[:4] + 1 for _ in range(ROWS // 4)]
    ).astype(np.int32)
    brands = rng.integers(1, 4, ADS).astype(np.int32)
    likes = rng.integers(1, 4, USERS + 1)
    logit = np.where(likes[users] == brands[ads - 1], 0.5, -1.5)
    clicked = rng.random(ROWS) < 1 / (1 + np.exp(-logit))
    schema = Schema(
        source="rows",
        user_id_type="int64",
        ad_id_type="int64",
        event_types=("view",),
        features=FEATURES,
    )
    hours = rng.normal(0, 1, ROWS // 4)[requests].astype(np.float32)
    return Dataset(
        schema=schema,
        catalogue=Catalogue(
            ad_ids=np.arange(1, ADS + 1),
            titles=[f"Ad number {n}" for n in range(ADS)],
            descriptions=[""] * ADS,
            tags=[[]] * ADS,
            features=schema.of("ad"),
            columns={"brand": brands},
        ),
        user_ids=np.arange(1, USERS + 1),
        users={"age": rng.normal(0, 1, USERS + 1).astype(np.float32)},
        events=EventLog(
            users=None,
            ads=rng.integers(1, ADS + 1, 500).astype(np.int32),
            types=np.ones(500, np.int32),
            times=np.sort(start - rng.integers(1, 50 * DAY, 500)),
        ),
        impressions=Impressions(
            requests=requests,
            users=users,
            ads=ads,
            times=times,
            labels={"clicked": clicked.astype(np.float32)},
            columns={
                "hour": hours,
                "place": rng.integers(1, 3, ROWS).astype(np.int32),
            },
            history_starts=np.zeros(ROWS, np.int64),
            history_ends=rng.integers(1, 500, ROWS),
        ),
    )


def changed(dataset, **fields):
    impressions = dataclasses.replace(dataset.impressions, **fields)
    return dataclasses.replace(dataset, impressions=impressions)


def column(dataset, name, values):
    columns = {**dataset.impressions.columns, name: values}
    return changed(dataset, columns=columns)


def copy_of_the_label(dataset):
    clicked = dataset.impressions.labels["clicked"]
    return column(dataset, "hour", (2 * clicked - 1).astype(np.float32))


def as_a_category(dataset):
    clicked = dataset.impressions.labels["clicked"]
    return column(dataset, "place", clicked.astype(np.int32) + 1)


def told_by_what_is_missing(dataset):
    clicked = dataset.impressions.labels["clicked"]
    hours = np.where(clicked == 1, 0.5, np.nan).astype(np.float32)
    return column(dataset, "hour", hours)


def sampled_ads(dataset):
    """Those that are clicked are of the first half of the catalogue."""
    clicked = dataset.impressions.labels["clicked"]
    ads = dataset.impressions.ads % 20 + 1
    return changed(dataset, ads=np.where(clicked, ads, ads + 20))


def with_the_future(dataset):
    times = dataset.events.times + 400 * DAY
    events = dataclasses.replace(dataset.events, times=times)
    return dataclasses.replace(dataset, events=events)


def with_the_answer(dataset):
    rows = dataset.impressions
    ads = dataset.events.ads.copy()
    clicked = rows.labels["clicked"] == 1
    last = np.full(ADS + 1, -1)
    last[ads] = np.arange(len(ads))
    ends = np.where(clicked, last[rows.ads] + 1, last[rows.ads % ADS + 1] + 1)
    return changed(dataset, history_ends=ends)


def split(dataset, splits):
    return changed(dataset, splits=np.array(splits, object))


def with_the_answer_alone(dataset):
    """Of a log whose clicks are the only events."""
    answered = with_the_answer(dataset)
    rows = answered.impressions
    clicked = rows.labels["clicked"] == 1
    starts = np.where(clicked, rows.history_ends - 1, rows.history_ends)
    return changed(answered, history_starts=starts)


def in_the_order_of_the_label(dataset):
    """A user per row, whose id is a number in text, by a file sorted so."""
    clicked = dataset.impressions.labels["clicked"]
    places = np.argsort(np.argsort(-clicked, kind="stable"))
    ids, users = np.unique(places.astype(str), return_inverse=True)
    with_ids = dataclasses.replace(
        dataset, user_ids=ids.astype(object), users={}
    )
    return changed(
        dataclasses.replace(
            with_ids,
            events=dataclasses.replace(dataset.events, users=None),
            schema=without_users(dataset.schema),
        ),
        users=users.astype(np.int32) + 1,
    )


def without_users(schema):
    features = tuple(f for f in schema.features if f.entity != "user")
    return dataclasses.replace(schema, features=features)


def by_chance(dataset):
    halves = np.arange(ROWS) % 2
    return split(dataset, np.where(halves, "train", "test"))


def by_request_at_random(dataset):
    requests = dataset.impressions.requests
    return split(dataset, np.where(requests % 2, "train", "test"))


def read_twice(dataset):
    rows = np.sort(np.concatenate([np.arange(ROWS), np.arange(0, ROWS, 8)]))
    return dataset.select(rows)


def counted(dataset):
    """Every second row is the clicks of the row before it."""
    rows = dataset.select(np.repeat(np.arange(ROWS), 2))
    clicked = (np.arange(2 * ROWS) % 2).astype(np.float32)
    weights = np.full(2 * ROWS, 3.0, np.float32)
    return changed(rows, labels={"clicked": clicked}, weights=weights)


def test_the_two_rows_of_a_count_are_no_duplicates(dataset):
    assert list(rows_checks.duplicates(counted(dataset))) == []


def tried_again(dataset):
    twice = read_twice(dataset)
    times = twice.impressions.times.copy()
    same = np.r_[False, np.diff(twice.impressions.ads) == 0]
    times[same] += 1
    return changed(twice, times=times)


def with_the_same_copy(dataset):
    titles = ["Buy now"] * ADS
    catalogue = dataclasses.replace(dataset.catalogue, titles=titles)
    return dataclasses.replace(dataset, catalogue=catalogue)


def with_cut_copy(dataset):
    """Titles of 13 letters and more, of which a column kept 12."""
    titles = [f"No {n:03d} of many ads"[:12] for n in range(ADS)]
    catalogue = dataclasses.replace(dataset.catalogue, titles=titles)
    return dataclasses.replace(dataset, catalogue=catalogue)


def drawn_from_the_whole_log(dataset):
    """Ads that live for nine days each; those not clicked are any of them."""
    rows = dataset.impressions
    begun = (rows.times - rows.times.min()) * 10 // (90 * DAY + 1)
    alive = begun * 4 + rows.ads % 4 + 1
    clicked = rows.labels["clicked"] == 1
    ads = np.where(clicked, alive, rows.ads).astype(np.int32)
    return changed(dataset, ads=ads)


def without_events_before(dataset):
    nothing = np.zeros(ROWS, np.int64)
    return changed(dataset, history_starts=nothing, history_ends=nothing)


def of_somebody_else(dataset):
    """Each history is one event, of the user whose number is one more."""
    users = np.arange(1, USERS + 2, dtype=np.int32)
    events = dataclasses.replace(
        dataset.events,
        users=users,
        ads=np.resize(dataset.events.ads, USERS + 1),
        types=np.ones(USERS + 1, np.int32),
        times=np.full(USERS + 1, 1_600_000_000),
    )
    other = dataset.impressions.users.astype(np.int64)
    return changed(
        dataclasses.replace(dataset, events=events),
        history_starts=other,
        history_ends=other + 1,
    )


def never_clicked(dataset):
    labels = {"clicked": np.zeros(ROWS, np.float32)}
    return changed(dataset, labels=labels)


def one_class_requests(dataset):
    first = dataset.impressions.labels["clicked"][::4]
    return changed(dataset, labels={"clicked": np.repeat(first, 4)})


def an_absurd_amount(dataset):
    """Of the amounts of a row in three, one is a typing error."""
    paid = np.where(np.arange(ROWS) % 3 == 0, 9.9, 0.0).astype(np.float32)
    paid[7] = 1e30
    labels = {**dataset.impressions.labels, "paid": paid}
    return changed(dataset, labels=labels)


def a_row_that_outvotes_the_log(dataset):
    weights = np.ones(ROWS)
    weights[7] = ROWS
    return changed(dataset, weights=weights)


def converted_without_a_click(dataset):
    labels = dict(dataset.impressions.labels)
    labels["converted"] = np.where(np.arange(ROWS) % 9, 0, 1).astype(np.int8)
    return changed(dataset, labels=labels)


def unknown_ads(dataset):
    ads = np.where(np.arange(ROWS) % 5 == 0, 0, dataset.impressions.ads)
    return changed(dataset, ads=ads.astype(np.int32))


def milliseconds(dataset):
    return changed(dataset, times=dataset.impressions.times * 1000)


def day_and_month_swapped(dataset):
    """All of the days 1 to 12 of the months of a year."""
    rng = np.random.default_rng(0)
    months = np.datetime64("2023-01") + np.sort(rng.integers(0, 12, ROWS))
    days = months.astype("M8[D]") + rng.integers(0, 12, ROWS)
    seconds = days.astype("M8[s]").astype(np.int64)
    return changed(dataset, times=seconds + rng.integers(0, DAY, ROWS))


def a_hole(dataset):
    times = dataset.impressions.times
    late = np.arange(ROWS) >= ROWS // 2
    return changed(dataset, times=times + late * 200 * DAY)


def dates_alone(dataset):
    times = dataset.impressions.times
    return changed(dataset, times=times // (30 * DAY) * (30 * DAY))


PLANTED = [
    (copy_of_the_label, "label_copy", "context.hour", "error"),
    (as_a_category, "label_copy", "candidate.place", "error"),
    (told_by_what_is_missing, "label_copy", "context.hour", "error"),
    (sampled_ads, "leaking_id", "ad id", "error"),
    (with_the_future, "future_event", "history", "error"),
    (with_the_answer, "answer_in_history", "history", "error"),
    (with_the_answer_alone, "answer_in_history", "history", "error"),
    (in_the_order_of_the_label, "leaking_id", "user id", "error"),
    (by_chance, "split_request", "split", "error"),
    (by_request_at_random, "split_time", "split", "warning"),
    (read_twice, "duplicate", "impressions", "warning"),
    (tried_again, "near_duplicate", "impressions", "note"),
    (with_the_same_copy, "copied_ads", "catalogue", "note"),
    (with_cut_copy, "text_cut", "title", "warning"),
    (drawn_from_the_whole_log, "sampler_leak", "negatives", "error"),
    (without_events_before, "no_history", "history", "warning"),
    (of_somebody_else, "foreign_history", "history", "error"),
    (never_clicked, "one_class", "clicked", "error"),
    (one_class_requests, "one_class_requests", "requests", "warning"),
    (
        lambda d: column(d, "place", np.ones(ROWS, np.int32)),
        *("constant", "candidate.place", "warning"),
    ),
    (an_absurd_amount, "outdone", "paid", "warning"),
    (a_row_that_outvotes_the_log, "outdone", "weight", "warning"),
    (
        converted_without_a_click,
        *("unclicked_conversion", "converted", "warning"),
    ),
    (unknown_ads, "unknown", "ad", "warning"),
    (
        lambda d: column(d, "hour", np.full(ROWS, np.nan, np.float32)),
        *("unknown", "context.hour", "warning"),
    ),
    (milliseconds, "impossible_time", "timestamp", "error"),
    (day_and_month_swapped, "swapped_dates", "timestamp", "error"),
    (a_hole, "clock_jump", "timestamp", "warning"),
    (dates_alone, "same_second", "timestamp", "warning"),
]


#: Planter -> what else its fault is.
BESIDES = {
    "told_by_what_is_missing": {"unknown"},
    "sampled_ads": {"duplicate"},
    "in_the_order_of_the_label": {"single_rows"},
    "drawn_from_the_whole_log": {"duplicate"},
    "by_chance": {"split_time"},
    "day_and_month_swapped": {"future_event"},
    "dates_alone": {"future_event", "duplicate", "clock_jump"},
}


@pytest.fixture(scope="module")
def dataset():
    return clean()


def test_nothing_is_wrong_with_a_clean_log(dataset):
    assert examine_dataset(dataset) == []


@pytest.mark.parametrize(
    ("plant", "name", "where", "level"),
    PLANTED,
    ids=[f"{name}-{where}" for _, name, where, _ in PLANTED],
)
def test_a_planted_fault_is_found(dataset, plant, name, where, level):
    found = examine_dataset(plant(dataset))
    named = [f for f in found if (f.name, f.where) == (name, where)]
    assert [f.level for f in named] == [level], found
    (finding,) = named
    assert finding.line.startswith(f"{level} {name} ({where}): ")
    assert finding.to_dict()["mend"].endswith((".", "?"))
    others = {f.name for f in found} - {name}
    # What a fault brings along.
    assert others <= BESIDES.get(getattr(plant, "__name__", ""), set())


def test_amounts_and_conversions_as_they_should_be(dataset):
    """Half of all in one row of many is not more than the others have."""
    clicked = dataset.impressions.labels["clicked"]
    paid = np.where(np.arange(ROWS) % 3 == 0, 1.0, 0.0)
    paid[1] = paid.sum()
    labels = {"clicked": clicked, "converted": clicked, "paid": paid}
    few = {"clicked": clicked, "paid": np.where(np.arange(ROWS) < 19, 1, 0)}
    few["paid"][0] = 1000
    for told in (labels, few):
        assert examine_dataset(changed(dataset, labels=told)) == []


def test_what_explains_itself_is_a_note(dataset):
    """A gap between splits, splits without times, and counted rows."""
    late = np.arange(ROWS) >= ROWS // 2
    gap = split(a_hole(dataset), np.where(late, "test", "train"))
    one_time = np.full(ROWS, 1_700_000_000)
    users = dataset.impressions.users.astype(np.int64)
    timeless = by_chance(changed(dataset, times=one_time, requests=users))
    timeless = dataclasses.replace(
        timeless, events=dataclasses.replace(timeless.events, times=None)
    )
    counted = changed(read_twice(dataset), weights=np.ones(ROWS + ROWS // 8))
    for logged, expected in (
        (gap, [("clock_jump", "note")]),
        (timeless, [("split_request", "note")]),
        (counted, []),
    ):
        found = [(f.name, f.level) for f in examine_dataset(logged)]
        assert [f for f in found if f[0] != "duplicate"] == expected
    told = {f.name: f for f in examine_dataset(timeless)}["split_request"]
    assert told.what.startswith("users, whose rows of one time count as one")
    assert "duplicate" not in [f.name for f in examine_dataset(counted)]


def test_rows_that_tell_nothing_of_users_are_noted(dataset):
    """A log without events, and one of a row a user."""
    none = dataclasses.replace(
        dataset.events,
        ads=np.zeros(0, np.int32),
        types=np.zeros(0, np.int32),
        times=np.zeros(0, np.int64),
    )
    nothing = np.zeros(ROWS, np.int64)
    bare = dataclasses.replace(
        changed(dataset, history_starts=nothing, history_ends=nothing),
        events=none,
    )
    assert [(f.name, f.level) for f in examine_dataset(bare)] == [
        ("no_history", "note")
    ]
    users = np.arange(1, ROWS + 1, dtype=np.int32)
    alone = changed(dataset, users=users)
    assert [(f.name, f.level) for f in histories.single_rows(alone)] == [
        ("single_rows", "note")
    ]


def test_the_worst_comes_first(dataset):
    found = examine_dataset(
        tried_again(copy_of_the_label(unknown_ads(dataset)))
    )
    assert [f.level for f in found] == ["error", "warning", "note"]
