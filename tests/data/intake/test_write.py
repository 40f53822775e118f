import json
import os
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.intake.ledger import Ledger, as_rejects
from tfadrec.data.intake.order import order_by
from tfadrec.data.intake.write import (
    check_out,
    workspace_of,
    write_dataset,
)

SCHEMA = Schema("made", "string", "int64", ("click",))
ADS = pa.table(
    {
        "ad_id": [1, 2, 3],
        "title": ["one", "", ""],
        "description": ["", "two", ""],
        "tags": pa.array([["t"], [], []], pa.list_(pa.string())),
    }
)


def impressions(requests, times, ads=None):
    return pa.table(
        {
            "request_id": requests,
            "user_id": ["u"] * len(requests),
            "ad_id": ads or [1] * len(requests),
            "timestamp": times,
            "clicked": pa.array([1] * len(requests), pa.int8()),
        }
    )


def write(out, **changes):
    tables = {
        "schema": SCHEMA,
        "ads": ADS,
        "impressions": impressions(["r"], [5]),
        "ledger": Ledger(),
    }
    return write_dataset(out, **{**tables, **changes})


def read(folder, name):
    return pq.read_table(folder / f"{name}.parquet")


def test_a_log_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    """Its table is written in a thread, whose last error must be told."""
    plain = pq.ParquetWriter.write_table

    def write_table(writer, table, **settings):
        if "request_id" in table.column_names:
            raise OSError("no room")
        plain(writer, table, **settings)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_table)
    with pytest.raises(TfadrecError, match="no room"):
        write(tmp_path / "home" / "data")
    assert not list((tmp_path / "home").iterdir())


def test_writes_every_table_of_the_contract(tmp_path):
    ledger = Ledger()
    rejects = [as_rejects("a", [(4, "bad", "x")])]
    ledger.book("a", "ads", read=1, kept=0, rejects=rejects)
    out = tmp_path / "deep" / "data"
    summary = write(out, ledger=ledger)
    assert Schema.from_json((out / "schema.json").read_text()) == SCHEMA
    assert read(out, "ads") == ADS
    assert read(out, "rejects").to_pylist() == [
        {"source": "a", "line": 4, "reason": "bad", "row": "x"}
    ]
    events = read(out, "events")
    assert len(events) == 0
    assert events.schema.types == [
        pa.string(),
        pa.int64(),
        pa.string(),
        pa.int64(),
    ]
    assert summary.sizes == {
        "ads": 3,
        "users": 1,
        "events": 0,
        "requests": 1,
        "impressions": 1,
        "clicked": 1,
    }
    # Only the third ad has neither title nor description.
    assert summary.lines()[1:] == [
        "  a: 1 ads read = 0 kept + 1 rejected",
        "  note: 1 ads have neither title nor description; they are known by "
        "their other columns",
        "  note: clicked is 1 in all 1 rows, so nothing can be learned of it; "
        "where every row is a click or a purchase, draw rows without one by a "
        "`sampling` section",
        f"  rejected rows: {out}/rejects.parquet",
    ]
    assert summary.to_dict()["counts"] == (
        {
            "source": "a",
            "unit": "ads",
            "read": 1,
            "kept": 0,
            "rejected": 1,
            "left_out": 0,
        },
    )
    # Nothing but the dataset is left behind.
    assert [path.name for path in out.parent.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("clicks", "said"),
    [
        ([1, 1], "clicked is 1 in all 2 rows, .* a `sampling` section"),
        ([0, 0], "clicked is 0 in all 2 rows, .* check its column"),
        ([0, 1], ""),
    ],
)
def test_a_label_of_one_class(tmp_path, clicks, said):
    rows = impressions(["r", "s"], [5, 6])
    rows = rows.set_column(4, "clicked", pa.array(clicks, pa.int8()))
    notes = write(tmp_path / "out", impressions=rows).notes
    found = [note for note in notes if " in all " in note]
    assert len(found) == bool(said)
    assert all(re.match(said, note) for note in found)


def test_counts_of_clicks_alone(tmp_path):
    """Rows with weights are not told to be sampled."""
    rows = impressions(["r", "s"], [5, 6])
    rows = rows.set_column(4, "clicked", pa.array([1, 1], pa.int8()))
    rows = rows.append_column("weight", pa.array([2.0, 3.0]))
    notes = write(tmp_path / "out", impressions=rows).notes
    (note,) = [note for note in notes if " in all " in note]
    assert "the `counts` it is of" in note
    assert "sampling" not in note


@pytest.mark.parametrize(("times", "noted"), [([5, 5], 1), ([5, 6], 0)])
def test_rows_of_one_time(tmp_path, times, noted):
    notes = write(tmp_path / "out", impressions=impressions("rs", times)).notes
    found = [note for note in notes if "have one time" in note]
    assert len(found) == noted
    assert all("write `split: {valid: 0.1, test" in note for note in found)


def test_users_and_the_names_of_their_columns(tmp_path):
    schema = Schema(
        "made",
        "string",
        "int64",
        ("click",),
        labels=("clicked", "revenue"),
        features=(
            Feature("age", "user", "number"),
            Feature("Größe", "user", "number"),
            Feature("age", "context", "number"),
        ),
    )
    column = {(f.entity, f.name): f.column for f in schema.features}
    shown = impressions(["r", "s", "t"], [5, 6, 7])
    shown = shown.append_column("context.age", pa.array([1.0, 2.0, 3.0]))
    shown = shown.append_column("revenue", pa.array([0.0, -2.0, 0.5]))
    users = pa.table(
        {"user_id": ["v"], "user.age": [7.0], "user.Größe": [None]}
    )
    summary = write(
        tmp_path / "d", schema=schema, users=users, impressions=shown
    )
    assert read(tmp_path / "d", "users").to_pylist() == [
        {
            "user_id": "v",
            column["user", "age"]: 7.0,
            column["user", "Größe"]: None,
        }
    ]
    written = read(tmp_path / "d", "impressions")
    assert written[column["context", "age"]].to_pylist() == [1.0, 2.0, 3.0]
    # A number is positive above 0.
    assert summary.sizes["revenue"] == 1
    assert summary.notes[-1] == (
        "1 of 1 users have no row in the table of users; their features count "
        "as missing"
    )


def test_events_are_sorted_by_user_and_time(tmp_path):
    events = pa.table(
        {
            "user_id": ["v", "u", "u", "u"],
            "ad_id": [1, 2, 3, 1],
            "event_type": ["click"] * 4,
            "timestamp": [1, 9, 2, 9],
        }
    )
    summary = write(tmp_path / "d", events=events)
    written = read(tmp_path / "d", "events")
    assert written["user_id"].to_pylist() == ["u", "u", "u", "v"]
    assert written["timestamp"].to_pylist() == [2, 9, 9, 1]
    assert written["ad_id"].to_pylist() == [3, 2, 1, 1]
    assert summary.sizes["users"] == 2


@pytest.mark.parametrize("last", [8, 253_402_300_799])
def test_times_far_apart_are_sorted_alike(tmp_path, last):
    """With many users, two keys do not fit into one of 64 bits."""
    count = 40_000_000 if last > 8 else 3
    first = np.array([count, 0, count, 1, 0])
    then = np.array([last, 5, 0, last, 5])
    assert order_by(first, then).tolist() == [1, 4, 3, 2, 0]


def test_impressions_are_sorted_by_time_and_arrival(tmp_path):
    write(
        tmp_path / "d",
        impressions=impressions(
            ["b", "a", "b", "c"], [7, 7, 7, 3], [1, 2, 3, 1]
        ),
    )
    written = read(tmp_path / "d", "impressions")
    assert written["request_id"].to_pylist() == ["c", "b", "b", "a"]
    assert written["ad_id"].to_pylist() == [1, 1, 3, 2]


def test_a_dataset_is_replaced(tmp_path):
    out = tmp_path / "d"
    write(out)
    write(out, impressions=impressions(["r", "s"], [5, 6]))
    assert len(read(out, "impressions")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_what_is_not_of_the_dataset_is_kept(tmp_path):
    out = tmp_path / "d"
    write(out)
    (out / "run").mkdir()
    (out / "run" / "model.keras").touch()
    with pytest.raises(InputError, match=r"also holds run/model\.keras"):
        write(out)
    assert (out / "run" / "model.keras").exists()


def without_manifest(folder):
    """A dataset as version 0.1.0 wrote it."""
    write(folder)
    (folder / "manifest.json").unlink()
    shutil.rmtree(folder / "columns")
    fields = json.loads((folder / "schema.json").read_text())
    del fields["version"], fields["features"]
    old = {**fields, "ad_features": [], "context": []}
    (folder / "schema.json").write_text(json.dumps(old))


def test_a_dataset_of_version_1_is_replaced(tmp_path):
    out = tmp_path / "d"
    without_manifest(out)
    write(out)
    assert (out / "manifest.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("thesis.docx", "years", r"also holds thesis\.docx"),
        ("users.parquet", "mine", r"also holds users\.parquet"),
        (
            "schema.json",
            '{"$schema": "https://json-schema.org"}',
            r"no manifest\.json that tells",
        ),
        ("ads.parquet", "no Parquet", r"no manifest\.json that tells"),
    ],
)
def test_what_version_1_did_not_write_is_kept(tmp_path, name, content, message):
    out = tmp_path / "d"
    without_manifest(out)
    (out / name).write_text(content)
    with pytest.raises(InputError, match=message):
        write(out)
    assert (out / name).read_text() == content


def test_a_pipe_in_the_way_is_not_waited_for(tmp_path):
    out = tmp_path / "d"
    without_manifest(out)
    (out / "schema.json").unlink()
    os.mkfifo(out / "schema.json")
    with pytest.raises(InputError, match=r"no manifest\.json that tells"):
        write(out)


def test_a_schema_of_another_program_is_no_dataset(tmp_path):
    file = tmp_path / "schema.json"
    file.write_text('{"$schema": "https://json-schema.org"}')
    with pytest.raises(
        InputError, match=r"holds schema\.json, and no manifest"
    ):
        write(tmp_path)
    assert file.exists()


def test_a_failed_write_leaves_the_old_dataset(tmp_path):
    out = tmp_path / "d"
    write(out)
    with pytest.raises(AttributeError):
        write(out, ads=ADS, schema=SCHEMA, histories="no table")
    assert len(read(out, "impressions")) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TfadrecError, match="must be writable to its folder"):
        write(tmp_path / "file" / "d")


def test_something_else_in_the_way(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for taken in (file, tmp_path):
        with pytest.raises(InputError, match="takes the place of a dataset"):
            check_out(taken)
    with pytest.raises(InputError, match="written to a local folder"):
        check_out("s3://bucket/data")
    (tmp_path / "empty").mkdir()
    assert check_out(tmp_path / "empty") == tmp_path / "empty"


def test_memory_that_was_freed_is_used_again(tmp_path):
    """As the C library does, and only meanwhile."""
    before = pa.default_memory_pool().backend_name
    with workspace_of(tmp_path / "out"):
        assert pa.default_memory_pool().backend_name == "system"
    assert pa.default_memory_pool().backend_name == before
