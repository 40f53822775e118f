"""Which events are read: by files and by requests, against a loop."""

import dataclasses
import tempfile

import numpy as np
import pytest

from tests.data import dataset_folder
from tfadrec.core.door import tf
from tfadrec.data import event_kinds
from tfadrec.data.event_log import EventLog
from tfadrec.data.newest_events import NewestEvents
from tfadrec.data.open_dataset import open_dataset
from tfadrec.serving.request_reader import RequestReader
from tfadrec.serving.requests import request_for_user

SKIPPED = 2


def chosen(types, length):
    """Places of the events that are read, one after the other."""
    own = [i for i, t in enumerate(types) if t != SKIPPED]
    skipped = [i for i, t in enumerate(types) if t == SKIPPED]
    room = max(length - len(own), length // 2)
    skipped = skipped[max(0, len(skipped) - room) :]
    room = length - len(skipped)
    own = own[max(0, len(own) - room) :]
    return sorted(own + skipped)


def log(types):
    nothing = np.zeros(len(types), np.int64)
    types = np.array(types, np.int32)
    return EventLog(nothing, nothing, types, nothing)


@pytest.mark.parametrize("length", [0, 1, 5, 8])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.9, 1.0])
def test_files(monkeypatch, length, share):
    monkeypatch.setattr(event_kinds, "_BLOCK", 4)
    monkeypatch.setattr(event_kinds, "_AT_ONCE", 8)
    random = np.random.default_rng(length)
    types = np.where(random.random(60) < share, SKIPPED, 1)
    starts = np.sort(random.integers(0, 60, 30))
    ends = np.minimum(starts + random.integers(0, 25, 30), 60)
    places, lengths = NewestEvents(log(types), SKIPPED, length)(
        tf.constant(starts), tf.constant(ends)
    )
    assert places.shape == [30, length]
    for row, start, end, n in zip(places, starts, ends, lengths, strict=True):
        wanted = chosen(types[start:end], length)
        found = row.numpy().tolist()
        assert found[: int(n)] == [start + place for place in wanted]
        assert found[int(n) :] == [60] * (length - len(wanted))


def test_blocks_of_skipped_events_alone():
    """A block that is full, and a log that ends with one."""
    types = [SKIPPED] * 255 + [1]
    starts, ends = np.array([0, 100, 0, 0]), np.array([256, 256, 255, 128])
    places, lengths = NewestEvents(log(types), SKIPPED, 4)(starts, ends)
    assert lengths.numpy().tolist() == [4, 4, 4, 4]
    assert places.numpy().tolist() == [
        *[[252, 253, 254, 255]] * 2,
        [251, 252, 253, 254],
        [124, 125, 126, 127],
    ]


def test_a_type_of_another_log_means_nothing():
    places, _ = NewestEvents(log([1, 2, 2, 2]), 0, 2)(
        np.array([0]), np.array([4])
    )
    assert places.numpy().tolist() == [[2, 3]]


def test_half_is_for_what_the_user_did():
    # By hand: four of T = 6 would be skipped, of which three are read.
    types = [1, 1, 1, 1, 2, 1, 2, 2, 2]
    places, lengths = NewestEvents(log(types), SKIPPED, 6)(
        np.array([0]), np.array([9])
    )
    assert places.numpy().tolist() == [[2, 3, 5, 6, 7, 8]]
    assert lengths.numpy().tolist() == [6]


@pytest.mark.parametrize("length", [0, 1, 3, 4, 9])
def test_requests_read_what_files_do(tmp_path, length):
    tables = dataset_folder.tables()
    random = np.random.default_rng(1)
    n = 12
    tables["events"] = tables["events"].take(random.integers(0, 4, n))
    tables["events"] = tables["events"].set_column(
        2, "event_type", [random.choice(["view", "skipped", "skipped"], n)]
    )
    # One impression of the same user, later than all events.
    tables["impressions"] = tables["impressions"].slice(3, 1)
    schema = dataset_folder.schema(event_types=("view", "skipped"))
    dataset = open_dataset(dataset_folder.write(tmp_path, tables, schema))
    dataset = dataset.with_history_length(length)
    inputs, _ = next(iter(dataset.batches(1)))
    request = request_for_user(dataset, "u")
    assert request["history_ads"].shape == (1, n)
    # What was filled up is not read, whatever it is.
    for name in ("history_ads", "history_events", "history_ages"):
        pad = request[name][:, :2]
        request[name] = np.concatenate([request[name], pad], axis=1)
    read, ads = RequestReader(dataset).read_user(
        {k: tf.constant(v.tolist()) for k, v in request.items()}
        | {"history_ads": tf.constant(request["history_ads"], tf.int64)}
    )
    real = int(inputs["history_length"][0])
    assert int(read["history_length"][0]) == real
    catalogue = np.append(-1, dataset.catalogue.ad_ids)
    np.testing.assert_array_equal(
        ads[0, :real], catalogue[inputs["history_ads"][0, :real]]
    )
    np.testing.assert_array_equal(
        read["history_events"][0, :real], inputs["history_events"][0, :real]
    )


def test_the_cosine_does_not_look_at_them(tmp_path):
    from tfadrec.evaluation.baselines.text_cosine import largest_cosines

    tables = dataset_folder.tables()
    schema = dataset_folder.schema(event_types=("view", "click", "skipped"))
    dataset = open_dataset(dataset_folder.write(tmp_path, tables, schema))
    vectors = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    dataset = dataset.with_catalogue(
        dataset.catalogue.with_vectors("text", vectors)
    )
    events = dataset.events
    own = largest_cosines(dataset)
    # As many skipped events again, of another ad, before and after each.
    places = np.repeat(np.arange(len(events.ads)), 2)
    types = np.tile([1, 3], len(events.ads)).astype(np.int32)
    mixed = dataclasses.replace(
        events,
        users=events.users[places],
        ads=np.where(types == 3, 3, events.ads[places]),
        types=types,
        times=events.times[places],
    )
    rows = dataclasses.replace(
        dataset.impressions,
        history_starts=dataset.impressions.history_starts * 2,
        history_ends=dataset.impressions.history_ends * 2,
    )
    found = dataclasses.replace(dataset, events=mixed, impressions=rows)
    np.testing.assert_array_equal(largest_cosines(found), own)


def test_of_a_large_log_they_are_no_memory_of_the_process(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(event_kinds, "_BLOCK", 4)
    types = [1, SKIPPED] * 8

    def mapped(at_once):
        monkeypatch.setattr(event_kinds, "_AT_ONCE", at_once)
        found = NewestEvents(log(types), SKIPPED, 4)
        with open("/proc/self/maps") as maps:
            return found, sum(str(tmp_path) in line for line in maps)

    assert mapped(16)[1] == 0
    found, count = mapped(8)
    assert count == 4
    places, _ = found(np.array([0]), np.array([16]))
    assert places.numpy().tolist() == [[12, 13, 14, 15]]
    assert list(tmp_path.iterdir()) == []


def test_readers_of_one_log_share_what_finds_its_events():
    events = log([1, SKIPPED, 1])
    first, other = (NewestEvents(events, SKIPPED, n) for n in (2, 5))
    assert first._kinds is other._kinds
    assert NewestEvents(log([1, SKIPPED, 1]), SKIPPED, 2)._kinds is not (
        first._kinds
    )
