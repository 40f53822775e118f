"""Tables in batches, and in parts."""

import pathlib

import numpy as np
import pyarrow as pa
import pytest

from tests.data.spilled import spilled
from tfadrec.data.columns import as_codes, is_same
from tfadrec.data.features.value_counts import value_counts
from tfadrec.data.intake import limits
from tfadrec.data.intake.ahead import ahead
from tfadrec.data.intake.beside import FIRST
from tfadrec.data.intake.coded_tables import plain_table
from tfadrec.data.intake.order import kth_smallest, order_by
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.request_numbers import RequestNumbers
from tfadrec.data.intake.request_rows import request_rows, with_request_ids
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.user_rows import (
    parts_by_user,
    seen_in,
    share_users,
    users_of,
)
from tfadrec.data.intake.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    with Workspace(tmp_path / "home" / "d", "dataset") as workspace:
        yield workspace
    assert not list((tmp_path / "home").glob("*"))


def log(rows, seed=0):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "text": pa.array(
                [None if n % 7 == 3 else f"t{n}" for n in range(rows)]
            ),
            "list": [[str(n)] * (n % 3) for n in range(rows)],
            "key": rng.integers(0, 5, rows),
        }
    )


def batches(table, workspace, sizes):
    found, begin = SpilledTable(workspace), 0
    for size in sizes:
        found.append(table.slice(begin, size))
        begin += size
    return found


@pytest.mark.parametrize("most", [5, 1000])
def test_batches_are_read_as_they_were_written(workspace, monkeypatch, most):
    monkeypatch.setattr(limits, "BATCH_ROWS", most)
    table = log(30)
    found = batches(table, workspace, [4, 0, 20, 6])
    assert (len(found), found.lengths) == (30, [4, 0, 20, 6])
    assert found.table() == table
    assert found.batch(2, ["list"]) == table.select(["list"]).slice(4, 20)
    found.append(table)  # Also after it was read.
    assert found.table(["key"]) == pa.concat_tables([table] * 2).select(["key"])
    chunks = pa.chunked_array(found["text"].iterchunks())
    assert chunks.equals(pa.concat_tables([table] * 2)["text"])
    with pytest.raises(TypeError, match="must have one schema"):
        found.append(table.select(["key"]))


@pytest.mark.parametrize("count", [1, 5])
def test_parts_keep_the_order_and_lead_back(workspace, monkeypatch, count):
    monkeypatch.setattr(limits, "BATCH_ROWS", 8)
    table = log(40)
    found = batches(table, workspace, [13, 0, 20, 7])
    parts = Parts(
        ((b, b["key"].to_numpy() % count) for b in found.batches()),
        count,
        workspace,
    )
    key = table["key"].to_numpy() % count
    for number in range(count):
        assert parts.part(number) == table.filter(key == number)
    back = parts.back(parts.part(n).select(["text"]) for n in range(count))
    assert back.lengths == found.lengths
    assert back.table() == table.select(["text"])


def test_rows_of_a_request_are_found_in_all_batches(workspace, monkeypatch):
    monkeypatch.setattr(limits, "BATCH_ROWS", 3)
    monkeypatch.setattr(limits, "PART_ROWS", 4)
    table = pa.table(
        {
            "request_id": ["", "a-long-id-1", "b", "", "a-long-id-1", "b", "c"],
            "timestamp": [5, 9, 2, 5, 7, 2, 1],
        }
    )
    found = request_rows(batches(table, workspace, [3, 3, 1]), workspace)
    assert found.table().to_pydict() == {
        "first": [0, 1, 2, 0, 1, 2, 6],
        "last": [5, 9, 2, 5, 9, 2, 1],
        "spread": [False, True, False, False, True, False, False],
    }


@pytest.mark.parametrize("most", [3, 1000])
@pytest.mark.parametrize("far", [100, 2**60])
def test_a_users_rows_of_a_second_are_a_request_without_ids(
    workspace, monkeypatch, most, far
):
    """Also where user and time do not fit into one number."""
    monkeypatch.setattr(limits, "BATCH_ROWS", most)
    monkeypatch.setattr(limits, "PART_ROWS", most + 1)
    table = pa.table(
        {
            "user_id": ["b", "a", "a", "b", "a", "b", "c"],
            "timestamp": [far, 5, far, far, 5, 7, 5],
        }
    )
    log = batches(table, workspace, [3, 3, 1])
    assert share_users([log], None, workspace).to_pylist() == ["a", "b", "c"]
    found = request_rows(log, workspace).table()
    assert found["first"].to_pylist() == [0, 1, 2, 0, 1, 5, 6]
    assert found["last"].to_pylist() == table["timestamp"].to_pylist()
    assert not any(found["spread"].to_pylist())
    first = table.append_column(FIRST, found["first"]).take([6, 1, 4, 5])
    first = first.set_column(0, "user_id", as_codes(first["user_id"]))
    named = with_request_ids(first)["request_id"]
    assert named.to_pylist() == ["c-5", "a-5", "a-5", "b-7"]


@pytest.mark.parametrize("most", [3, 1000])
def test_users_are_coded_by_one_array_of_all(workspace, monkeypatch, most):
    """Those of both logs, and of the table of users; files hold codes alone."""
    monkeypatch.setattr(limits, "BATCH_ROWS", most)
    monkeypatch.setattr(limits, "LOOK_UP_ROWS", 2)
    tables = [
        pa.table({"user_id": list(ids), "row": range(len(ids))})
        for ids in ("dbbad", "ccab")
    ]
    logs = [batches(t, workspace, [2, 0, len(t) - 2]) for t in tables]
    people = pa.table({"user_id": ["e", "a"]})
    ids = share_users(logs, people, workspace)
    assert ids.to_pylist() == ["a", "b", "c", "d", "e"]
    for log, table in zip(logs, tables, strict=True):
        read = [log.batch(number) for number in range(3)]
        assert pa.concat_tables(map(plain_table, read)) == table
        assert all(
            is_same(as_codes(b["user_id"]).dictionary, ids) for b in read
        )
    assert users_of(logs[1].batch(2)).tolist() == [1, 2]
    assert seen_in(logs, ids).to_pylist() == ["a", "b", "c", "d"]
    parts = parts_by_user(logs, 5, 2)
    assert parts.tolist() == [0, 0, 0, 1, 1, 1]


def test_values_that_are_shared_are_in_no_file(workspace, monkeypatch):
    """A copy of them, such as another process sends, is taken for them."""
    monkeypatch.setattr(limits, "BATCH_ROWS", 0)
    values = pa.array([f"value {n}" for n in range(5)])
    workspace.share(values)
    copied = pa.array(values.to_pylist())
    found = SpilledTable(workspace)
    others = pa.array(["x", "value 0", "y", "value 3", "z"])
    for known in (values, copied, values.slice(1), others):
        codes = pa.array([3, 0], pa.int32())
        column = pa.DictionaryArray.from_arrays(codes, known)
        found.append(pa.table({"ad_id": column}))
    kept = [as_codes(b["ad_id"]).dictionary for b in found.batches()]
    assert [is_same(one, values) for one in kept] == [True, True, False, False]
    assert found.table()["ad_id"].to_pylist() == [
        *["value 3", "value 0"] * 2,
        *["value 4", "value 1"],
        *["value 3", "x"],
    ]


def test_an_error_of_what_is_made_ahead_comes_in_its_place():
    def numbers():
        yield 1
        raise OSError("no room")

    found = ahead(numbers())
    assert next(found) == 1
    with pytest.raises(OSError, match="no room"):
        next(found)
    assert list(ahead(iter([]))) == []


@pytest.mark.parametrize("scale", [1, 2**26, 2**40])
def test_the_order_by_two_numbers_is_numpys(scale):
    """Whether numbers and rows fit into one key or not."""
    rng = np.random.default_rng(0)
    first, then = (rng.integers(-9, 9, 500) * scale for _ in range(2))
    assert order_by(first, then).tolist() == np.lexsort((then, first)).tolist()


@pytest.mark.parametrize("most", [1, 1000])
def test_requests_are_numbered_as_they_are_met(workspace, monkeypatch, most):
    monkeypatch.setattr(limits, "BATCH_ROWS", most)
    numbers = RequestNumbers(10, workspace)
    first = numbers.of(np.array([7, 3, 7, 9]), np.array([1, 0, 1, 1], bool))
    assert first.tolist() == [0, 1, 0, 2]
    then = numbers.of(np.array([5, 9, 7, 5]), np.array([0, 1, 1, 0], bool))
    assert then.tolist() == [3, 2, 0, 3]
    assert numbers.count == 4


@pytest.mark.parametrize("k", [0, 1, 40, 98, 99])
@pytest.mark.parametrize("scale", [1, 10**6, 10**14])
def test_the_kth_smallest_is_numpys(k, scale):
    values = np.random.default_rng(k).integers(-50, 50, 100) * scale
    arrays = [values[:60], values[:0], values[60:]]
    assert kth_smallest(lambda: arrays, k) == np.sort(values)[k]


def test_counts_of_chunks_are_those_of_the_column(monkeypatch):
    monkeypatch.setattr("tfadrec.data.features.value_counts._MOST", 3)
    texts = [f"t{n % 11 * n % 7}" if n % 5 else None for n in range(50)]
    whole = pa.array(texts)
    values, counts = value_counts(whole.slice(n, 9) for n in range(0, 50, 9))
    expected = whole.value_counts()
    assert values.equals(expected.field("values"))
    assert counts.equals(expected.field("counts"))


def test_a_small_table_makes_no_file():
    assert len(spilled(log(3))) == 3  # Its workspace could make none.
    assert not pathlib.Path("/nowhere").exists()
