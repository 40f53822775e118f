"""Files as nobody expects them: one line, or a rejected row, and no hang."""

import csv
import io
import os
import uuid

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.columns import as_integers, as_text
from tfadrec.data.files import open_filesystem
from tfadrec.data.intake import checks
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.read_table import read_table
from tfadrec.data.intake.text_parser import parse_text


def parquet(tmp_path, **columns):
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    return read_table(tmp_path / "x.parquet", "rows")


def rejected(rows):
    ledger = Ledger()
    rows.settle(ledger, needed=False)
    return [
        (row["line"], row["reason"], row["row"])
        for row in ledger.rejects().to_pylist()
    ]


VALUES = st.text("a1é ", max_size=3) | st.sampled_from(["x\ny", "x\r\ny", "\r"])


@hypothesis.given(
    st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 6), max_size=3),
)
def test_any_line_end_with_blank_lines(rows, end, blanks):
    """Against Python's own writer of CSV."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b"])
    lines, expected = [], []
    for place, row in enumerate(rows):
        file.write(end * blanks.count(place))
        before = file.getvalue().replace("\r\n", "\n").replace("\r", "\n")
        lines.append(before.count("\n") + 1)
        writer.writerow(row)
        expected.append(row)
    found = parse_text(file.getvalue().encode(), "rows", name="x.csv")
    table = found.table.to_pydict()
    assert list(zip(table["a"], table["b"], strict=True)) == expected
    assert found.lines.tolist() == lines


INTEGERS = st.integers(-(2**63), 2**63 - 1)


@hypothesis.given(
    st.lists(
        st.tuples(
            INTEGERS | st.integers(-(2**80), 2**80) | st.integers(-20, 20),
            st.sampled_from(["", "0", "000"]),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_integers_are_those_of_python(written):
    texts, expected = [], []
    for value, zeros, plus in written:
        sign = "-" if value < 0 else "+" if plus else ""
        texts.append(f"{sign}{zeros}{abs(value)}")
        expected.append(value if -(2**63) <= value < 2**63 else None)
    assert as_integers(pa.array(texts, pa.string())).to_pylist() == expected


@pytest.mark.parametrize(
    "text",
    ["", "+", "-", "--1", "+-1", " 2", "1 ", "1.0", "1e3", "0x1", "\u0661"],
)
def test_what_is_no_integer(text):
    assert as_integers(pa.array([text])).to_pylist() == [None]


def test_a_plus_before_seconds():
    rows = RawRows("x", "rows", pa.table({"t": ["+5", "6"]}), np.arange(2))
    assert checks.timestamps(rows, "t").to_pylist() == [5, 6]


def test_ids_that_are_equal_as_integers():
    table = pa.table({"x": ["1", "01", "+1", "-0", "0", " 2"]})
    rows = RawRows("x", "rows", table, np.arange(1, 7))
    checks.first_of_each(rows, checks.ids(rows, "x", "int64"))
    assert rows.kept.tolist() == [True, False, False, True, False, True]


def test_uuids_are_their_text(tmp_path):
    value = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    column = pa.array([value.bytes, None], pa.uuid())
    rows = parquet(tmp_path, u=column)
    assert rows["u"].to_pylist() == [str(value), None]
    checks.labels(rows, "u")
    assert rejected(rows) == [
        (1, "u is not 0 or 1", str(value)),
        (2, "u has no label", ""),
    ]


def test_bytes_of_a_fixed_size(tmp_path):
    column = pa.array([b"ab", b"\xff\xff"], pa.binary(2))
    rows = parquet(tmp_path, a=column)
    assert rows["a"].to_pylist() == ["ab", "\ufffd\ufffd"]
    assert rejected(rows) == [(2, "not UTF-8", "\ufffd\ufffd")]


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_lists_of_bytes(tmp_path, kind):
    values = pa.array([[b"a", b"b"], [b"\xff"], None, []], kind(pa.binary()))
    rows = parquet(tmp_path, h=values)
    assert checks.lists(rows, "h", " ").to_pylist() == [["a", "b"], [], [], []]
    assert rejected(rows) == [(2, "not UTF-8", "")]


def test_lists_of_a_fixed_size_of_bytes(tmp_path):
    values = pa.array([[b"a1"], [b"b2"], None], pa.list_(pa.binary(2), 1))
    rows = parquet(tmp_path, h=values)
    assert checks.lists(rows, "h", " ").to_pylist() == [["a1"], ["b2"], []]


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("ms"),
        pa.timestamp("us"),
        pa.timestamp("ms", "UTC"),
        pa.timestamp("us", "Mars/Olympus"),
        pa.int64(),
    ],
    ids=str,
)
def test_times_at_the_ends_of_int64(tmp_path, kind):
    ends = pa.array([-(2**63), 5_000_000_000, 2**63 - 1]).view(kind)
    rows = parquet(tmp_path, t=ends)
    checks.timestamps(rows, "t")
    assert rows.kept.tolist()[1]
    first, *_ = rejected(rows)
    assert first[:2] == (1, "t is not in seconds from 1970 to 9999")
    assert "9223372036854775808" in first[2]


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        (pa.timestamp("ns"), 64),
        (pa.date32(), 32),
        (pa.time32("s"), 32),
        (pa.time64("ns"), 64),
        (pa.duration("s"), 64),
        (pa.duration("ns"), 64),
        (pa.timestamp("us", "Mars/Olympus"), 64),
        (pa.decimal128(38, 2), None),
        (pa.float16(), None),
        (pa.null(), None),
        (pa.bool_(), None),
        (pa.month_day_nano_interval(), None),
    ],
    ids=str,
)
def test_every_kind_of_column_is_read_or_refused_in_one_line(kind, bits):
    if bits is None:
        values = pa.nulls(2, kind)
    else:
        whole = pa.int32() if bits == 32 else pa.int64()
        ends = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
        values = pa.array(ends, whole).view(kind)
    column = pa.chunked_array([values])
    checked = (
        lambda rows: checks.ids(rows, "x", "string"),
        lambda rows: checks.ids(rows, "x", "int64"),
        lambda rows: checks.labels(rows, "x"),
        lambda rows: checks.timestamps(rows, "x"),
        lambda rows: checks.lists(rows, "x", " "),
    )
    for check in checked:
        rows = RawRows("x", "rows", pa.table({"x": column}), np.arange(2))
        try:
            check(rows)
            rejected(rows)
        except InputError as error:
            line = str(error)
        else:
            line = "a column must hold"
        assert "a column must hold" in line
        assert "\n" not in line


def test_a_type_that_cannot_be_read():
    values = pa.array([1], pa.timestamp("us", "Mars/Olympus"))
    with pytest.raises(
        InputError, match=r"column of .*Mars/Olympus.* as string"
    ):
        as_text(values)


@pytest.mark.parametrize(
    "beside", ["\uffff", "\uffff\uffff x \uffff", "\ufffe"]
)
def test_a_character_that_is_none_beside_a_broken_row(beside):
    data = b"a,b\n1,\xff\n2," + beside.encode() + b"\n3,\xffx\xff" + b"\n"
    rows = parse_text(data, "rows", name="x.csv")
    assert rows.kept.tolist() == [False, True, False]
    assert rows["b"].to_pylist() == ["\ufffd", beside, "\ufffdx\ufffd"]


def test_pipes_and_devices(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "part.parquet")
    os.mkfifo(tmp_path / "x.parquet")
    for path in (
        tmp_path / "pipe",
        tmp_path / "folder",
        tmp_path / "x.parquet",
        "/dev/zero",
        "/dev/stdin",
    ):
        with pytest.raises(InputError, match="must be a regular file") as error:
            read_table(path, "rows")
        assert "a pipe or a device" in str(error.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("~no-such-user-here/x.csv", "home of an unknown user"),
        ("data:text/csv,a", "must name a file or a folder"),
        ("data://text/csv;base64,YQo=", "must name a file or a folder"),
        ("a\0b", "must name a file or a folder"),
    ],
)
def test_paths_that_name_no_file(path, message):
    with pytest.raises(InputError, match=message):
        read_table(path, "rows")
    with pytest.raises(InputError, match=message):
        open_filesystem(path)


def test_a_name_that_is_too_long():
    with pytest.raises(InputError, match=r"must (exist|be readable)"):
        read_table("/tmp/" + "x" * 300, "rows")
