"""Rates and counts against a loop over all pairs of rows."""

import numpy as np
import pytest

from tests.data.rates_log import (
    BRANDS,
    CITIES,
    DAY,
    RATES,
    prepare,
    rows,
    value,
)
from tfadrec.core.errors import InputError
from tfadrec.data.features import as_of
from tfadrec.data.intake.join_datasets import join_datasets
from tfadrec.data.open_dataset import open_dataset


def test_every_row_knows_what_came_before_it(tmp_path):
    log = rows()
    dataset = prepare(tmp_path, log)
    log.sort(key=lambda r: r["time"])
    tensors = {f.name: f.tensor for f in dataset.schema.of("candidate")}
    assert set(tensors) == set(RATES)
    impressions = dataset.impressions
    ads = dataset.catalogue.ad_ids[impressions.ads - 1]
    users = dataset.user_ids[impressions.users - 1]
    places = {}
    for row in log:  # rows of a second stand in an order of their own
        places.setdefault((row["user"], row["ad"], row["time"]), row)
    for name, tensor in tensors.items():
        if "hour" in str(RATES[name]["of"]):
            continue  # below: it differs between rows of one place
        wanted = [
            value(name, places[user, ad, time], time, log)
            for user, ad, time in zip(
                users, ads, impressions.times, strict=True
            )
        ]
        np.testing.assert_allclose(
            impressions.columns[tensor], wanted, rtol=1e-5, atol=1e-6
        )


def test_a_key_without_ids(tmp_path):
    name = "brand by city"
    some = {"candidate_features": {name: RATES[name]}}
    whole, alone = tmp_path / "whole", tmp_path / "alone"
    for folder in (whole, alone):
        folder.mkdir()
    wanted = prepare(whole).impressions.columns["brand_by_city"]
    found = prepare(alone, impressions=some).impressions.columns
    np.testing.assert_array_equal(found["brand_by_city"], wanted)


def test_a_number_in_buckets_is_part_of_a_key(tmp_path):
    log = rows(40)
    for number, row in enumerate(log):
        row["time"] = 1_000_000_000 + 7 * number
    dataset = prepare(tmp_path, log)
    wanted = [value("ad by hour", row, row["time"], log) for row in log]
    np.testing.assert_allclose(
        dataset.impressions.columns["ad_by_hour"], wanted, rtol=1e-5, atol=1e-6
    )


def test_the_tables_are_as_of_the_end_of_the_log(tmp_path):
    log = rows()
    end = max(r["time"] for r in log) + 1
    for row in log:  # events end before impressions do
        row["click"] *= row["time"] < end - 1
    dataset = prepare(tmp_path, log)
    schema = dataset.schema
    hours = np.searchsorted([2, 4], [float(r["hour"]) for r in log], "right")
    names = {
        "ad_id": [None, *dataset.catalogue.ad_ids],
        "user_id": [None, *dataset.user_ids],
        **{f.tensor: [None, *f.vocabulary] for f in schema.features},
    }
    for feature in schema.of("candidate"):
        table = dataset.rates[feature.tensor]
        found = {
            tuple(key): float(v)
            for key, v in zip(table.keys.tolist(), table.values, strict=True)
        }
        wanted = {}
        for row, hour in zip(log, hours, strict=True):
            if feature.among == "events" and not row["click"]:
                continue
            parts = {
                "ad_id": row["ad"],
                "user_id": row["user"],
                "brand": BRANDS[row["ad"]],
                "city": CITIES.get(row["user"], ""),
            }
            key = [
                int(hour) + 1
                if part == "hour"
                else names[part].index(parts[part])
                if parts[part]
                else 0
                for part in (*feature.ids, *feature.of)
            ]
            days = RATES[feature.name].get("days")
            if all(key) and (not days or row["time"] >= end - days * DAY):
                wanted[tuple(key)] = value(feature.name, row, end, log)
        assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6)
        assert list(found) == sorted(found)


def test_days_that_are_joined_count_as_one_log(tmp_path):
    log = sorted(rows(), key=lambda r: r["time"])
    cut = log[50]["time"]
    parts = {
        "one": [r for r in log if r["time"] < cut],
        "two": [r for r in log if r["time"] >= cut],
        "whole": log,
    }
    for name, some in parts.items():
        (tmp_path / name).mkdir()
        whole = prepare(tmp_path / name, some)
    join_datasets(
        tmp_path / "one" / "out", tmp_path / "two" / "out", tmp_path / "both"
    )
    both = open_dataset(tmp_path / "both")
    for feature in whole.schema.of("candidate"):
        name = feature.tensor
        np.testing.assert_allclose(
            np.sort(both.impressions.columns[name]),
            np.sort(whole.impressions.columns[name]),
            rtol=1e-6,
        )


def test_what_is_joined_counts_the_same(tmp_path):
    for name, among in (("one", "impressions"), ("two", "events")):
        (tmp_path / name).mkdir()
        count = {"kind": "count", "of": "ad_id", "among": among}
        features = {"candidate_features": {"shown": count}}
        prepare(tmp_path / name, impressions=features)
    with pytest.raises(InputError, match="'shown' must have the among 'impre"):
        join_datasets(
            *(tmp_path / name / "out" for name in ("one", "two")),
            tmp_path / "both",
        )


def test_nothing_and_one_row():
    nothing, one = np.zeros(0, np.int64), np.ones(1, np.int64)
    for found in as_of.counts_as_of(*[nothing] * 5):
        assert found.shape == (0,)
    assert as_of.counts_as_of(*[one] * 5) == (0, 0)


def test_a_request_counts_when_it_is_over():
    times = np.array([10, 14, 12, 14, 15])
    known = as_of.known_at(np.array([0, 0, 1, 2, 2]), times)
    assert known.tolist() == [14, 14, 12, 15, 15]
    one = np.ones(5, np.int64)
    # At 14 only the request of 12 is over; at 15 that of 10 to 14 as well.
    shown, clicked = as_of.counts_as_of(one, times, known, one * 1.0, one * 1.0)
    assert shown.tolist() == clicked.tolist() == [0, 1, 0, 1, 3]


def test_keys_of_large_numbers_stay_apart():
    codes = [np.array([1, 2**31 - 1, 1, 0]), np.array([7, 7, 2**31 - 1, 1])] * 2
    groups = as_of.group_of(codes)
    assert len(set(groups.tolist())) == 4
    assert groups[3] == 0


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"kind": "rate"}, "of one to 3 of ad_id, user_id and categories"),
        ({"kind": "rate", "of": "brandy"}, "names no feature"),
        (
            {"kind": "rate", "of": "ad_id", "days": -1},
            "`days` must be a number",
        ),
        (
            {"kind": "count", "of": "ad_id", "days": 1e15},
            "`days` must be a number >= 0, and at most 2,147,483,647",
        ),
        (
            {"kind": "rate", "of": "ad_id", "days": 1e-9},
            "`days` must be 0, for all impressions, or a second at least",
        ),
        (
            {"kind": "rate", "of": ["ad_id", "ad_id"]},
            "`of` must name each feature once. Received: 'ad_id' twice",
        ),
        (
            {"kind": "rate", "of": "ad_id", "prior": 0},
            "`prior` must be a number",
        ),
        ({"kind": "count", "of": "ad_id", "prior": 2}, "A count has: of, days"),
        ({"kind": "rate", "of": "price"}, "categories, and numbers in buckets"),
        (
            {"kind": "count", "of": "ad_id", "among": "clicks"},
            "impressions, ev",
        ),
        (
            {"kind": "count", "of": "city_now", "among": "events"},
            "of ads and users, .*'city_now' of the context",
        ),
        (
            {"kind": "rate", "of": "ad_id", "among": "events"},
            "A rate has: of, ",
        ),
    ],
)
def test_what_a_rate_cannot_be(tmp_path, feature, message):
    price = {"price": {"kind": "number", "column": "weight"}}
    with pytest.raises(InputError, match=message):
        prepare(
            tmp_path,
            impressions={
                "features": price
                | {"city_now": {"kind": "category", "column": "hour"}},
                "candidate_features": {"x": feature},
            },
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {
                "sampling": {"negatives_per_positive": 1},
                "impressions": {"clicked": None},
            },
            "ad rate, .* with .sampling.",
        ),
        (
            {"impressions": {"timestamp": {"constant": 5}}},
            "one timestamp for all",
        ),
    ],
)
def test_what_a_log_must_tell(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, **changes)


def test_it_belongs_to_a_candidate(tmp_path):
    rate = {"x": {"kind": "rate", "of": "ad_id"}}
    with pytest.raises(InputError, match="into impressions"):
        prepare(
            tmp_path,
            impressions={"features": rate, "candidate_features": None},
        )
