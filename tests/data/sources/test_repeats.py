"""Counts of events and impressions where users meet ads again."""

import re

import numpy as np
import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.data import join_datasets, sources
from tfadrec.data.intake import event_counts, limits
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.sources import repeats

#: u buys a, b, a and a again; the second a is bought together with b.
LOG = [
    ("u", "a", 1),
    ("v", "a", 1),
    ("u", "b", 2),
    ("u", "a", 2),
    ("u", "a", 3),
    ("v", "b", 3),
]
NAMES = {"user_ad_events", "user_events"}
SHOWN = "user_ad_shown"


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Two events that repeat others are enough here."""
    monkeypatch.setattr(repeats, "_NUMBER", 2)


def prepare(folder, log=LOG, like=None, events=(), impressions=(), **changes):
    where = {
        "file": "log.csv",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
    }
    config = {
        "ads": {"file": "log.csv", "ad_id": "ad", "deduplicate": True},
        "events": where | {"event_type": {"constant": "buy"}} | dict(events),
        "impressions": where | dict(impressions),
        "sampling": {"negatives_per_positive": 1, "period": "all"},
    } | changes
    folder.mkdir(exist_ok=True)
    lines = ["user,ad,time", *(f"{u},{a},{10**9 + t}" for u, a, t in log)]
    (folder / "log.csv").write_text("\n".join([*lines, ""]))
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    summary = sources.prepare_table(
        folder / "c.yaml", folder / "out", like=like
    )
    return open_dataset(folder / "out"), "\n".join(summary.lines())


def prepare_shown(folder, log=LOG, like=None, **impressions):
    """Of impressions alone, of which nobody knows an event."""
    lines = ["user,ad,time", *(f"{u},{a},{10**9 + t}" for u, a, t in log)]
    folder.mkdir(exist_ok=True)
    (folder / "log.csv").write_text("\n".join([*lines, ""]))
    config = {
        "ads": {"file": "log.csv", "ad_id": "ad", "deduplicate": True},
        "impressions": {
            "file": "log.csv",
            "user_id": "user",
            "ad_id": "ad",
            "timestamp": "time",
            "clicked": {"column": "ad", "positive": "a", "negative": "b"},
            **impressions,
        },
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    summary = sources.prepare_table(
        folder / "c.yaml", folder / "out", like=like
    )
    return open_dataset(folder / "out"), "\n".join(summary.lines())


def made(dataset):
    return {feature.name for feature in dataset.schema.of("candidate")}


@pytest.mark.parametrize("rows", [2, limits.PART_ROWS])
def test_what_a_user_did_is_counted(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(limits, "PART_ROWS", rows)
    dataset, _ = prepare(tmp_path, events={"repeats": True})
    rows = dataset.impressions
    ads = dataset.catalogue.ad_ids[rows.ads - 1]
    users = dataset.user_ids[rows.users - 1]
    for user, ad, time, same, all_of_user in zip(
        users,
        ads,
        rows.times - 10**9,
        rows.columns["user_ad_events"],
        rows.columns["user_events"],
        strict=True,
    ):
        before = [a for u, a, t in LOG if u == user and t < time]
        assert np.expm1(same) == pytest.approx(before.count(ad), abs=1e-6)
        assert np.expm1(all_of_user) == pytest.approx(len(before), abs=1e-6)


@pytest.mark.parametrize(
    ("log", "events", "is_made"),
    [
        (LOG, {}, True),
        (LOG, {"repeats": False}, False),
        (LOG[:4], {}, False),
        (LOG[:4], {"repeats": True}, True),
        # Two of 21: less than a tenth.
        (LOG + [(f"w{n}", "c", n) for n in range(15)], {}, False),
        # The same purchase twice in its second is no return.
        (LOG[:3] * 2, {}, False),
    ],
)
def test_where_users_repeat_themselves(tmp_path, log, events, is_made):
    dataset, told = prepare(tmp_path, log, events=events)
    assert made(dataset) == (NAMES if is_made else set())
    found = "2 of 6 events repeat an earlier one" in told
    assert found == (is_made and not events)


def test_of_many_events_those_of_some_users_are_looked_at(
    tmp_path, monkeypatch
):
    """Each user here does all things twice."""
    monkeypatch.setattr(event_counts, "_LOOKED_AT", 20)
    log = [(f"u{n % 30}", "a", n) for n in range(60)]
    dataset, told = prepare(tmp_path, [*log, ("u0", "b", 60)])
    again, number = map(
        int, re.search(r"(\d+) of (\d+) events repeat", told).groups()
    )
    assert made(dataset) == NAMES
    assert 0 < again < 30
    assert number in (2 * again, 2 * again + 1)


def test_many_events_are_counted_where_one_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(repeats, "_MOST", 5)
    dataset, _ = prepare(tmp_path)
    assert made(dataset) == set()


def test_own_counts_take_their_place(tmp_path):
    own = {"mine": {"kind": "count", "of": "user_id", "among": "events"}}
    dataset, _ = prepare(tmp_path, impressions={"candidate_features": own})
    assert made(dataset) == {"mine"}


def test_another_dataset_decides(tmp_path):
    first, _ = prepare(tmp_path / "first")
    like, few = tmp_path / "first" / "out", LOG[:4]
    then, _ = prepare(tmp_path / "then", few, like=like)
    assert then.schema.features == first.schema.features
    prepare(tmp_path / "less", events={"repeats": False})
    less, _ = prepare(tmp_path / "then", like=tmp_path / "less" / "out")
    assert made(less) == set()
    with pytest.raises(InputError, match=r"'user_ad_events', .*, which only"):
        prepare(tmp_path / "then", like=like, events={"repeats": False})
    with pytest.raises(InputError, match=r"'user_ad_events', .*, which .* not"):
        prepare(
            tmp_path / "then",
            like=tmp_path / "less" / "out",
            events={"repeats": True},
        )


@pytest.mark.parametrize("has", [True, False])
def test_a_day_is_counted_as_the_log_is(tmp_path, has):
    """Whether its own events, of which there may be few, repeat or not."""
    shown = [(user, ad, time + 100) for user, ad, time in LOG]
    for name, log, wanted in (
        ("one", LOG, has),
        ("two", shown, not has),
        ("whole", LOG + shown, has),
    ):
        prepare(tmp_path / name, log, events={"repeats": wanted})
    one, two, whole = (tmp_path / n / "out" for n in ("one", "two", "whole"))
    summary = join_datasets(one, two, tmp_path / "both")
    assert sum("is left out, which counts" in n for n in summary.notes) == (
        0 if has else 2
    )
    both, whole = open_dataset(tmp_path / "both"), open_dataset(whole)
    assert both.schema.features == open_dataset(one).schema.features
    assert made(both) == (NAMES if has else set())
    if has:
        assert counts_of(both) == counts_of(whole)


def counts_of(dataset):
    """(user, time) -> the numbers of events before."""
    rows = dataset.impressions
    return {
        (dataset.user_ids[user - 1], time): count
        for user, time, count in zip(
            rows.users,
            rows.times.tolist(),
            rows.columns["user_events"].tolist(),
            strict=True,
        )
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"events": {"repeats": True, "timestamp": {"constant": 5}}},
            "one time",
        ),
        ({"events": {"repeats": "perhaps"}}, "must be true or false"),
        (
            {
                "events": {"repeats": True},
                "impressions": {"history": "ad", "clicked": "time"},
                "sampling": None,
            },
            "events.repeats, where histories come along",
        ),
    ],
)
def test_what_a_log_must_tell(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, **changes)


def test_what_a_user_was_shown_is_counted(tmp_path):
    dataset, told = prepare_shown(tmp_path)
    assert "user_ad_shown: how many impressions" in told
    assert "2 of 6 impressions repeat an earlier one" in told
    rows = dataset.impressions
    for user, ad, time, count in zip(
        dataset.user_ids[rows.users - 1],
        dataset.catalogue.ad_ids[rows.ads - 1],
        rows.times - 10**9,
        rows.columns[SHOWN],
        strict=True,
    ):
        before = [t for u, a, t in LOG if (u, a) == (user, ad) and t < time]
        assert np.expm1(count) == pytest.approx(len(before), abs=1e-6)


@pytest.mark.parametrize(
    ("log", "impressions", "names"),
    [
        (LOG, {"repeats": False}, set()),
        (LOG[:3], {}, set()),
        (LOG[:3], {"repeats": True}, {SHOWN}),
        # Of rows that were thrown away nobody knows how many there were.
        (LOG, {"negatives_kept": 0.5}, set()),
        (
            LOG,
            {
                "candidate_features": {
                    "mine": {"kind": "rate", "of": ["user_id", "ad_id"]}
                }
            },
            {"mine"},
        ),
        (
            LOG,
            {"candidate_features": {"mine": {"kind": "rate", "of": "ad_id"}}},
            {"mine", SHOWN},
        ),
    ],
)
def test_where_users_are_shown_ads_again(tmp_path, log, impressions, names):
    assert made(prepare_shown(tmp_path, log, **impressions)[0]) == names


def test_another_dataset_decides_what_shown_ads_count(tmp_path):
    first, _ = prepare_shown(tmp_path / "first")
    like = tmp_path / "first" / "out"
    then, _ = prepare_shown(tmp_path / "then", LOG[:3], like=like)
    assert then.schema.features == first.schema.features
    prepare_shown(tmp_path / "less", repeats=False)
    less, _ = prepare_shown(tmp_path / "then", like=tmp_path / "less" / "out")
    assert made(less) == set()


def test_only_what_was_shown_is_counted(tmp_path):
    with pytest.raises(InputError, match=r"impressions\.repeats, where ads"):
        prepare(tmp_path, impressions={"repeats": True})
    with pytest.raises(InputError, match=r"impressions\.repeats, where all"):
        prepare_shown(
            tmp_path,
            repeats=True,
            timestamp={"constant": 5},
            split={"valid": 0.1, "test": 0.1},
        )
