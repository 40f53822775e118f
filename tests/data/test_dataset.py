"""A dataset folder as arrays, and whose past a history is."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data import dataset_folder
from tfadrec.core.errors import InputError
from tfadrec.data.open_dataset import open_dataset


@pytest.fixture
def folder(tmp_path):
    return dataset_folder.write(
        tmp_path / "d", dataset_folder.tables(), dataset_folder.schema()
    )


def histories(dataset):
    """Per impression: (row, type code) of its events, oldest first."""
    log, rows = dataset.events, dataset.impressions
    return [
        [
            (int(log.ads[i]), int(log.types[i]))
            for i in range(rows.history_starts[n], rows.history_ends[n])
        ]
        for n in range(len(dataset))
    ]


def check_columns(dataset):
    rows = dataset.impressions
    assert len(dataset) == 5
    np.testing.assert_array_equal(rows.requests, [0, 0, 1, 2, 3])
    np.testing.assert_array_equal(rows.users, [1, 1, 2, 1, 3])
    np.testing.assert_array_equal(rows.ads, [1, 3, 2, 2, 1])
    np.testing.assert_array_equal(rows.times, [7, 7, 8, 12, 12])
    np.testing.assert_array_equal(rows.labels["clicked"], [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(rows.columns["device"], [2, 2, 0, 0, 1])
    np.testing.assert_array_equal(rows.columns["scroll"], [1, 1, np.nan, 0, -1])
    assert set(rows.labels) == {"clicked"}
    assert set(rows.columns) == {"device", "scroll"}
    assert rows.splits is None
    assert rows.weights is None
    assert dataset.users == dataset.events.columns == {}
    # Strictly before: what user u did in second 7 is no past of second 7.
    assert histories(dataset) == [
        [(1, 1)],
        [(1, 1)],
        [(3, 1)],
        [(1, 1), (2, 2), (3, 0), (1, 1)],
        [],
    ]
    np.testing.assert_array_equal(rows.history_lengths, [1, 1, 1, 4, 0])


def test_columns(folder):
    dataset = open_dataset(folder)
    check_columns(dataset)
    assert dataset.user_ids.tolist() == ["u", "v", "w"]
    assert dataset.history_length == 50


def test_integer_users_and_string_ads(tmp_path):
    tables = dataset_folder.tables(users=(3, 40), ads=("x", "y", "é"))
    schema = dataset_folder.schema(user_id_type="int64", ad_id_type="string")
    dataset = open_dataset(dataset_folder.write(tmp_path, tables, schema))
    check_columns(dataset)
    assert dataset.user_ids.tolist() == [3, 40, 99]


def test_ads_that_the_catalogue_does_not_have(tmp_path):
    tables = dataset_folder.tables()
    tables["ads"] = tables["ads"].slice(0, 2)
    dataset = open_dataset(
        dataset_folder.write(tmp_path, tables, dataset_folder.schema())
    )
    np.testing.assert_array_equal(dataset.impressions.ads, [1, 0, 2, 2, 1])
    assert histories(dataset)[2] == [(0, 1)]


def test_events_in_any_order(tmp_path):
    tables = dataset_folder.tables()
    # A stable order of what happens in one second is kept.
    tables["events"] = tables["events"].take([4, 3, 1, 2, 0])
    dataset = open_dataset(
        dataset_folder.write(tmp_path, tables, dataset_folder.schema())
    )
    check_columns(dataset)


def test_tables_in_parts(folder):
    for name in ("ads", "events", "impressions"):
        path = folder / f"{name}.parquet"
        table = pq.read_table(path)
        path.unlink()
        path.mkdir()
        pq.write_table(table.slice(0, 2), path / "part-0.parquet")
        pq.write_table(table.slice(2), path / "part-1.parquet")
    check_columns(open_dataset(folder))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_folder_on_another_filesystem(folder):
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in folder.iterdir():
        memory.pipe(f"/data/d/{path.name}", path.read_bytes())
    check_columns(open_dataset("memory://data/d"))


def test_an_empty_event_log(tmp_path):
    tables = dataset_folder.tables()
    tables["events"] = tables["events"].slice(0, 0)
    dataset = open_dataset(
        dataset_folder.write(tmp_path, tables, dataset_folder.schema())
    )
    assert histories(dataset) == [[]] * 5
    for inputs, _ in dataset.batches(2):
        np.testing.assert_array_equal(inputs["history_length"], 0)


def test_given_histories(tmp_path):
    tables = dataset_folder.tables()
    tables["events"] = tables["events"].slice(0, 0)
    tables["histories"] = pa.table({"ads": [[30, 10, 10], [], [20, 77], [30]]})
    tables["impressions"] = tables["impressions"].append_column(
        "history", pa.array([2, 2, 1, 0, 3])
    )
    schema = dataset_folder.schema(event_types=("click",))
    dataset = open_dataset(dataset_folder.write(tmp_path, tables, schema))
    assert histories(dataset) == [
        [(2, 1), (0, 1)],
        [(2, 1), (0, 1)],
        [],
        [(3, 1), (1, 1), (1, 1)],
        [(3, 1)],
    ]
    assert dataset.events.times is None
    [(inputs, _)] = list(dataset.with_history_length(2).batches(5))
    np.testing.assert_array_equal(
        inputs["history_ads"], [[2, 0], [2, 0], [0, 0], [1, 1], [3, 0]]
    )
    np.testing.assert_array_equal(inputs["history_length"], [2, 2, 0, 2, 1])
    np.testing.assert_array_equal(inputs["history_ages"], np.zeros([5, 2]))


def test_histories_are_each_users_own_past(tmp_path):
    random = np.random.default_rng(0)
    n, m = 400, 300
    users = np.array([f"u{i}" for i in range(12)])
    events = {
        "user_id": random.choice(users[:9], n),
        "ad_id": random.integers(0, 40, n),
        "event_type": random.choice(["view", "click"], n),
        "timestamp": random.integers(-50, 100, n),
    }
    shown = {
        "request_id": [str(i) for i in range(m)],
        "user_id": random.choice(users[3:], m),
        "ad_id": random.integers(0, 40, m),
        "timestamp": random.integers(-60, 120, m),
        "clicked": np.zeros(m, np.int8),
        "device": ["tv"] * m,
        "scroll": np.ones(m),
    }
    ids = list(range(30))  # the others are unknown
    tables = {
        "ads": pa.table(
            {
                "ad_id": ids,
                "title": [""] * 30,
                "description": [""] * 30,
                "tags": pa.array([[]] * 30, pa.list_(pa.string())),
            }
        ),
        "events": pa.table(events),
        "impressions": pa.table(shown),
    }
    dataset = open_dataset(
        dataset_folder.write(tmp_path, tables, dataset_folder.schema())
    )
    dataset = dataset.with_history_length(7)
    batch = [inputs for inputs, _ in dataset.batches(64)]
    found = {k: np.concatenate([b[k] for b in batch]) for k in batch[0]}
    order = np.argsort(events["timestamp"], kind="stable")
    assert max(dataset.impressions.history_lengths) > 7
    for i in range(m):
        past = [
            e
            for e in order
            if events["user_id"][e] == shown["user_id"][i]
            and events["timestamp"][e] < shown["timestamp"][i]
        ]
        assert dataset.impressions.history_lengths[i] == len(past)
        past = past[-7:]
        rest = [0] * (7 - len(past))
        rows = [
            0 if events["ad_id"][e] >= 30 else events["ad_id"][e] + 1
            for e in past
        ]
        types = [1 + (events["event_type"][e] == "click") for e in past]
        ages = [shown["timestamp"][i] - events["timestamp"][e] for e in past]
        assert found["history_length"][i] == len(past)
        assert found["history_ads"][i].tolist() == rows + rest
        assert found["history_events"][i].tolist() == types + rest
        assert found["history_ages"][i].tolist() == ages + rest


def test_select_and_replace(folder):
    dataset = open_dataset(folder)
    some = dataset.select(np.array([False, True, False, True, False]))
    assert len(some) == 2
    np.testing.assert_array_equal(some.impressions.ads, [3, 2])
    np.testing.assert_array_equal(some.impressions.columns["device"], [2, 0])
    assert some.events is dataset.events
    last = dataset.select(np.array([4]))
    np.testing.assert_array_equal(last.impressions.users, [3])
    bare = dataset.catalogue.ids_only()
    assert dataset.with_catalogue(bare).catalogue is bare


def test_no_dataset(tmp_path):
    with pytest.raises(InputError, match=r"schema\.json\. Received: .*nothing"):
        open_dataset(tmp_path / "nothing")


def test_an_unknown_filesystem():
    with pytest.raises(InputError, match="needs an installed filesystem"):
        open_dataset("nonsense://data/d")


@pytest.mark.parametrize("fault", ["missing", "damaged"])
@pytest.mark.parametrize("name", ["ads", "events", "impressions"])
def test_unreadable_tables(folder, name, fault):
    path = folder / f"{name}.parquet"
    path.unlink() if fault == "missing" else path.write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=rf"readable\. Received: .*{name}"):
        open_dataset(folder)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("events", "event_type"),
        ("impressions", "user_id"),
        ("impressions", "clicked"),
        ("impressions", "device"),
    ],
)
def test_missing_columns(folder, name, column):
    path = folder / f"{name}.parquet"
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    with pytest.raises(InputError, match=rf"{name}.*Received: no {column}"):
        open_dataset(folder)
