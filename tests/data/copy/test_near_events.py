"""Pairs of events by hand, and none from the time that is measured on."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tests.data import dataset_folder
from tfadrec.core.errors import InputError
from tfadrec.data.copy.corpus import Corpus
from tfadrec.data.copy.near_events import NearEvents
from tfadrec.data.open_dataset import open_dataset


def dataset(tmp_path, events):
    """Of (user, ad, type, time); ads 10, 20, 30 are texts 0, 1, 2."""
    users, ads, types, times = zip(*events, strict=True)
    tables = dataset_folder.tables()
    tables["events"] = pa.table(
        {
            "user_id": list(users),
            "ad_id": list(ads),
            "event_type": list(types),
            "timestamp": pa.array(times, pa.int64()),
        }
    )
    folder = tmp_path / "data"
    return open_dataset(
        dataset_folder.write(folder, tables, dataset_folder.schema())
    )


def near(opened, **arguments):
    arguments = {"before": 100, "window_seconds": 5, **arguments}
    return NearEvents.of(opened, Corpus.of(opened.catalogue), **arguments)


def pairs(events):
    """(user, text, partner's text) of every anchor."""
    found = set()
    for i in events.anchors:
        for j in range(events.begins[i], events.ends[i]):
            assert events.users[i] == events.users[j]
            if i != j:
                found.add(
                    (
                        int(events.users[i]),
                        int(events.texts[i]),
                        int(events.texts[j]),
                    )
                )
    return found


LOG = [
    ("u", 10, "click", 10),
    ("u", 20, "view", 15),
    ("u", 30, "click", 20),
    ("v", 10, "click", 21),
    ("v", 30, "click", 26),
]


def test_partners_are_near_and_of_the_same_user(tmp_path):
    """Times 10, 15, 20 and a window of 5: neighbours, and not 10 with 20."""
    u, v = 1, 2
    assert pairs(near(dataset(tmp_path, LOG))) == {
        *((u, 0, 1), (u, 1, 0), (u, 1, 2), (u, 2, 1)),
        *((v, 0, 2), (v, 2, 0)),
    }


def test_only_some_event_types(tmp_path):
    opened = dataset(tmp_path, LOG)
    clicks = near(opened, event_types=["click"])
    assert pairs(clicks) == {(2, 0, 2), (2, 2, 0)}
    wide = near(opened, event_types=["click"], window_seconds=10)
    assert (1, 0, 2) in pairs(wide)


@pytest.mark.parametrize("before", [26, 25])
def test_nothing_from_the_time_that_is_measured_on(tmp_path, before):
    """The event at 26 is in no pair, neither as anchor nor as partner."""
    found = near(dataset(tmp_path, LOG), before=before)
    assert {user for user, *_ in pairs(found)} == {1}
    assert len(found.texts) == 4


def test_a_text_is_no_partner_of_itself(tmp_path):
    """A second event on the same ad is not looked at."""
    log = [("u", 10, "click", t) for t in (1, 2, 3)]
    found = near(dataset(tmp_path, [*log, ("u", 20, "click", 6)]))
    assert pairs(found) == {(1, 0, 1), (1, 1, 0)}
    with pytest.raises(InputError, match="none among 1 events within 5 sec"):
        near(dataset(tmp_path, log))


def test_whole_users_are_held_out(tmp_path):
    learn, held = near(dataset(tmp_path, LOG)).hold_out(0.5, 0)
    users = [{user for user, *_ in pairs(part)} for part in (learn, held)]
    assert sorted(map(tuple, users)) == [(1,), (2,)]
    with pytest.raises(InputError, match="2 distinct users with pairs"):
        near(dataset(tmp_path, LOG)).hold_out(0.1, 0)


def test_bad_input(tmp_path):
    opened = dataset(tmp_path, LOG)
    with pytest.raises(InputError, match=r"of view, click. Received: \['buy'"):
        near(opened, event_types=["buy"])
    with pytest.raises(InputError, match="list of event types"):
        near(opened, event_types="view")
    for window in (0, 1.5):
        with pytest.raises(InputError, match="`window_seconds` must be"):
            near(opened, window_seconds=window)
    with pytest.raises(InputError, match="none among 0 events"):
        near(opened, before=0)
    timeless = dataclasses.replace(opened.events, users=None, times=None)
    with pytest.raises(InputError, match="need a log with users and times"):
        near(dataclasses.replace(opened, events=timeless))


def test_many_random_events_against_a_double_loop(tmp_path):
    random = np.random.default_rng(0)
    log = [
        (
            "uv"[random.integers(2)],
            10 * (1 + random.integers(3)),
            "click",
            int(t),
        )
        for t in random.integers(0, 40, 30)
    ]
    first = {}
    for user, ad, _, time in log:
        key = ("uv".index(user) + 1, ad // 10 - 1)
        first[key] = min(time, first.get(key, 99))
    expected = {
        (user, text, other)
        for (user, text), time in first.items()
        for (user_2, other), time_2 in first.items()
        if user == user_2 and text != other and abs(time - time_2) <= 5
    }
    assert pairs(near(dataset(tmp_path, log))) == expected != set()
