import gzip
import json

import numpy as np
import pyarrow as pa
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.columns import as_floats, as_lists, as_text
from tfadrec.data.intake import checks, limits
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.read_table import read_batches, read_table
from tfadrec.data.intake.row_filter import read_filters


def read(tmp_path, text, columns=("a",), name="log.jsonl", **settings):
    data = text.encode() if isinstance(text, str) else text
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return read_table(path, "rows", columns, name="log", **settings)


def column(tmp_path, *values):
    lines = [json.dumps({"a": value}) for value in values]
    found = read(tmp_path, "\n".join(lines))["a"]
    return found.type, found.to_pylist()


@pytest.mark.parametrize(
    ("values", "kind", "read_as"),
    [
        (["x", None, "é"], pa.string(), ["x", None, "é"]),
        ([1, None, 2**63 - 1], pa.int64(), [1, None, 2**63 - 1]),
        ([1, 2**63], pa.string(), ["1", str(2**63)]),
        ([1, 0.5], pa.float64(), [1.0, 0.5]),
        # A float cannot hold this integer.
        ([2**53 + 1, 0.5], pa.string(), [str(2**53 + 1), "0.5"]),
        ([True, None], pa.bool_(), [True, None]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([1, "x"], pa.string(), ["1", "x"]),
        (
            [["x", None], [], None],
            pa.list_(pa.string()),
            [["x", None], [], None],
        ),
        ([[1, 2], None], pa.list_(pa.string()), [["1", "2"], None]),
        ([[1, 0.5]], pa.list_(pa.float64()), [[1.0, 0.5]]),
        ([[[1]], None], pa.string(), ["[[1]]", None]),
        # One value has one spelling, whether it was written as a float.
        ([1e16, "x"], pa.string(), [str(10**16), "x"]),
        ([1e16, 2**63], pa.string(), [str(10**16), str(2**63)]),
        (
            [{"x": 1, "y": 0.5}, None],
            pa.map_(pa.string(), pa.float64()),
            [[("x", 1.0), ("y", 0.5)], None],
        ),
        # What is no number does not make texts of the others.
        (
            [{"x": 0.5}, {"x": None, "y": 1}, {"x": True}, {"x": 1e16}, {}],
            pa.map_(pa.string(), pa.float64()),
            [
                [("x", 0.5)],
                [("x", None), ("y", 1.0)],
                [("x", None)],
                [("x", 1e16)],
                [],
            ],
        ),
        (
            [{"x": 2**53 + 1, "y": 10**400}],
            pa.map_(pa.string(), pa.float64()),
            [[("x", 2.0**53), ("y", float("inf"))]],
        ),
        (
            [{"x": "y", "z": " 2"}, {"x": [1]}, {"x": {"y": 1}}],
            pa.map_(pa.string(), pa.float64()),
            [[("x", None), ("z", 2.0)], [("x", None)], [("x", None)]],
        ),
        # Where nothing is a number it is no map of numbers.
        ([{"x": "y"}], pa.string(), ['{"x": "y"}']),
        ([{"x": 1}, [2]], pa.string(), ['{"x": 1}', "[2]"]),
        ([{"x": True}], pa.string(), ['{"x": true}']),
        ([None, None], pa.string(), [None, None]),
    ],
)
def test_values_and_their_types(tmp_path, values, kind, read_as):
    assert column(tmp_path, *values) == (kind, read_as)


@pytest.mark.parametrize(
    "name", ["log.jsonl", "log.ndjson", "log.json", "log.json.gz", "L.JSONL.gz"]
)
def test_names_of_json_lines(tmp_path, name):
    rows = read(tmp_path, '{"a": 1}\r\n\n{"b": 2}', name=name)
    assert rows["a"].to_pylist() == [1, None]
    assert rows.lines.tolist() == [1, 3]


def test_lines_that_are_no_objects(tmp_path):
    text = (
        b'{"a": 1}\n[1]\n{"a": \n\n{"a": "\xff"}\n3\n'
        + b"9" * 5000
        + b"\n"
        + b"[" * 100_000
        + b'\n{"a": "\\ud800"}\n'
    )
    rows = read(tmp_path, text)
    ledger = Ledger()
    rows.settle(ledger)
    assert [(r["line"], r["reason"]) for r in ledger.rejects().to_pylist()] == [
        (2, "no JSON object"),
        (3, "no JSON object"),
        (5, "not UTF-8"),
        (6, "no JSON object"),
        (7, "no JSON object"),
        (8, "no JSON object"),
        (9, "no JSON object"),
    ]
    (count,) = ledger.counts
    assert (count.read, count.kept, count.rejected) == (8, 1, 7)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("other", [None, 3, 1.5, 2**64, "x", [1]])
def test_true_and_false_are_numbers_for_who_reads_numbers(
    tmp_path, other, decimal
):
    """Whatever else stands in the column, and texts for who reads texts."""
    values = [True, False, None, other]
    lines = [json.dumps({"a": value}) for value in values]
    rows = read(tmp_path, "\n".join(lines))
    rows.decimal = decimal
    assert as_text(rows["a"]).to_pylist()[:3] == ["true", "false", ""]
    is_number = isinstance(other, int | float)
    number = float(other) if is_number else np.nan
    np.testing.assert_array_equal(
        as_floats(rows.numbers("a")), [1, 0, np.nan, number]
    )
    for condition, kept in ((">0", is_number), (0, False), (True, False)):
        (found,) = read_filters({"a": condition}, "where")
        first = [condition != 0, condition == 0, False]
        assert found.wanted(rows).tolist() == [*first, kept]
    real = checks.numbers(rows, "a").to_pylist()
    assert real == [1.0, 0.0, 0.0, float(other) if is_number else 0.0]
    assert rows.kept.tolist() == [True, True, False, is_number]


def test_another_encoding(tmp_path):
    text = '{"a": "é"}\n'.encode("utf-16")
    assert read(tmp_path, text, encoding="utf-16")["a"].to_pylist() == ["é"]


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "a file of rows must hold rows"),
        ("\n \n", {}, "a file of rows must hold rows"),
        ('[{"a": 1},\n {"a": 2}]', {}, "must hold one object a line"),
        ('{"b": 1}', {}, "log must have the column 'a'. Received: b"),
        ('{"a": 1}', {"delimiter": ";"}, "delimiter can be said of text only"),
        ('{"a": 1}', {"header": False}, "columns can be said of text only"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, text, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, text, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['{"a": {"0": 1, "1": 2}, "b": {"0": "x"}}', '{"a": [1], "b": ["x"]}'],
)
def test_an_object_of_columns(tmp_path, text):
    with pytest.raises(InputError, match="which is one object of columns"):
        read(tmp_path, text, ("a", "b"))


def test_a_single_row_may_have_a_list(tmp_path):
    assert len(read(tmp_path, '{"a": [1], "b": "x"}', ("a", "b"))) == 1


def test_pieces_have_the_types_and_lines_of_the_file(tmp_path, monkeypatch):
    """A column of whole numbers is one of texts where a text comes later."""
    values = [1, None, 2.5, "x", [1], {"k": 1}]
    lines = [
        json.dumps({"a": values[min(row // 7, 5)], "b": row, "c": [row / 2]})
        for row in range(50)
    ]
    lines[17], lines[30] = "no row", ""
    text = "\n".join(lines).encode() + b'\n{"a": "\xff"}\n{"late": true}'
    whole = read(tmp_path, text, ("a", "b", "c", "late"))
    monkeypatch.setattr(limits, "TEXT_BYTES", 90)
    batches = list(
        read_batches(
            tmp_path / "log.jsonl", "rows", ("a", "b", "c", "late"), size=3
        )
    )
    assert len(batches) > 15
    assert pa.concat_tables([rows.table for rows in batches]) == whole.table
    assert whole["a"].type == pa.string()
    lines = np.concatenate([rows.lines for rows in batches])
    assert lines.tolist() == whole.lines.tolist()
    broken = [row for rows in batches for row in rows.broken]
    assert broken == list(whole.broken)
    assert [line for line, _, _ in broken] == [18, 51]
    (rows,) = read_batches(tmp_path / "log.jsonl", "rows", ("a",), size=None)
    assert len(rows) == len(whole)


@pytest.mark.parametrize(
    "floats", [[1.0, 2.0], [1.0, 0.5, None], [1e15, 1e-7, 1e17, -0.0]]
)
def test_a_float_is_spelled_by_itself(tmp_path, floats):
    """Whatever else stands in its column, also in lists."""
    once = [as_text(pa.array([v], pa.float64()))[0].as_py() for v in floats]
    for others in ([], [2.5], ["x"], [True], [2**64]):
        rows = read(
            tmp_path,
            "\n".join(json.dumps({"a": v}) for v in [*floats, *others]),
        )
        assert as_text(rows["a"]).to_pylist()[: len(floats)] == once
        rows = read(tmp_path, json.dumps({"a": [*floats, *others]}))
        (entries,) = as_lists(rows["a"], " ", keep_empty=True).to_pylist()
        assert entries[: len(floats)] == once
    assert once[0] in ("1", "1000000000000000")
