import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.intake import quotes
from tfadrec.data.intake import text_parser as module
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.read_table import read_table
from tfadrec.data.intake.text_parser import parse_text


def settled(rows):
    """(kept rows as lists with their lines, rejects as tuples)."""
    ledger = Ledger()
    kept = rows.settle(ledger, needed=False)
    columns = rows.table.filter(pa.array(kept)).to_pydict().values()
    lines = rows.lines[kept].tolist()
    values = [list(row) for row in zip(*columns, strict=True)]
    rejects = [
        (r["line"], r["reason"], r["row"]) for r in ledger.rejects().to_pylist()
    ]
    (count,) = ledger.counts
    assert count.read == count.kept + count.rejected
    assert count.rejected == len(rejects)
    return list(zip(lines, values, strict=True)), rejects


CASES = {
    "plain": (
        b"a,b\n1,2\n3,4\n",
        {},
        [(2, ["1", "2"]), (3, ["3", "4"])],
        [],
    ),
    "no last line end, byte order mark, Windows line ends": (
        b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4",
        {},
        [(2, ["1", "2"]), (3, ["3", "4"])],
        [],
    ),
    "blank lines count as lines and not as rows": (
        b"\na,b\n\n1,2\n\r\n,\n",
        {},
        [(4, ["1", "2"]), (6, ["", ""])],
        [],
    ),
    "wrong number of fields": (
        b"a,b\n1\n1,2\n1,2,3\n",
        {},
        [(3, ["1", "2"])],
        [
            (2, "1 fields instead of 2", "1"),
            (4, "3 fields instead of 2", "1,2,3"),
        ],
    ),
    "values over several lines": (
        b'a,"b"\n"1\n,\n""x""",2\n\n3\n"4\n4\n4"\n5,6\n',
        {},
        [(2, ['1\n,\n"x"', "2"]), (10, ["5", "6"])],
        [
            (6, "1 fields instead of 2", "3"),
            (7, "1 fields instead of 2", '"4\n4\n4"'),
        ],
    ),
    "no quoting": (
        b'"1\t2"\n3\t"4\n',
        {"columns": ("a", "b"), "header": False, "delimiter": "\t"}
        | {"quoting": False},
        [(1, ['"1', '2"']), (2, ["3", '"4'])],
        [],
    ),
    "broken UTF-8": (
        b"a,b\n\xc3\xa9,\xff\n\xef\xbf\xbd,2\n\xff\n3,4\n",
        {},
        [(3, ["\ufffd", "2"]), (5, ["3", "4"])],
        [(2, "not UTF-8", "é\t\ufffd"), (4, "not UTF-8", "\ufffd")],
    ),
    "latin-1": (
        b"a,b\n\xe9,1\n",
        {"encoding": "latin-1"},
        [(2, ["é", "1"])],
        [],
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_and_lines(case):
    data, options, kept, rejects = CASES[case]
    rows = parse_text(data, "rows", name="x.csv", **options)
    assert settled(rows) == (kept, rejects)


def test_line_numbers_over_blocks(monkeypatch):
    # Blocks of 64 bytes: row k stands on lines 2k and 2k + 1; every fifth
    # has a field too many.
    monkeypatch.setattr(module, "_BLOCK_BYTES", 64)
    text = "a,b\n" + "".join(
        f'{k},"x\ny"{",z" if k % 5 == 0 else ""}\n' for k in range(1, 200)
    )
    rows = parse_text(text.encode(), "rows", name="x.csv")
    kept, rejects = settled(rows)
    assert [(line, row[0]) for line, row in kept] == [
        (2 * k, str(k)) for k in range(1, 200) if k % 5
    ]
    assert [line for line, *_ in rejects] == [2 * k for k in range(5, 200, 5)]


def test_reads_delimiters_compression_and_uris(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tb\n1\t2\n")
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    (tmp_path / "x.txt").write_text("a|b\n1|2\n")
    for path, options in (
        (tmp_path / "x.tsv", {}),
        (tmp_path / "x.csv.gz", {}),
        (tmp_path / "x.txt", {"delimiter": "|"}),
        ((tmp_path / "x.tsv").as_uri(), {}),
    ):
        rows = read_table(path, "rows", ["b"], **options)
        assert settled(rows) == ([(2, ["1", "2"])], [])


def test_reads_parquet_files_and_folders(tmp_path):
    table = pa.table(
        {
            "a": pa.array(["x", "y"], pa.large_string()),
            "b": pa.array(["u", None]).dictionary_encode(),
            "c": pa.array([1, 2]),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    pq.write_table(table.slice(0, 1), folder / "part-0.parquet")
    pq.write_table(table.slice(1, 1), folder / "part-1.parquet")
    for path in (tmp_path / "x.parquet", folder):
        rows = read_table(path, "rows", ["a", "b"])
        assert rows.table.column_names == ["a", "b"]
        assert settled(rows) == ([(1, ["x", "u"]), (2, ["y", None])], [])


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]
)
def test_parquet_with_broken_utf8(tmp_path, kind):
    values = [b"ok", b"\xffx", None]
    large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    broken = pa.array(values, pa.large_binary() if large else pa.binary())
    broken = broken.view(kind)
    pq.write_table(pa.table({"a": broken}), tmp_path / "x.parquet")
    kept, rejects = settled(read_table(tmp_path / "x.parquet", "rows"))
    assert kept == [(1, ["ok"]), (3, [None])]
    assert rejects == [(2, "not UTF-8", "\ufffdx")]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.csv", None, "a file of ads must exist. Received: .*none.csv"),
        ("x.csv", b"", "a file of ads must hold rows. Received: .*empty"),
        ("x.csv", b"\n\r\n", "must hold rows. Received: .*empty"),
        ("x.csv", b"a,b\n", "must hold rows. Received: .*empty"),
        ("x.csv", b"a,c\n1,2\n", "must have the column 'b'. Received: a, c"),
        ("x.csv", b"a,a\n1,2\n", "must have names of their own. Received: a"),
        ("x.csv", b"a,b,a\n1,2,3\n", "must have names of their own."),
        ("x.parquet", b"PAR", "must be readable. Received: .*x.parquet"),
        ("x.csv.gz", b"no gzip", "must be readable. Received: .*x.csv.gz"),
        ("no://such", None, "a URI needs an installed filesystem"),
    ],
)
def test_unusable_files(tmp_path, name, data, message):
    path = name if "://" in name else tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read_table(path, "ads", ["a", "b"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("delimiter", [",", "::", "é"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_that_repeat_among_what_is_not_read(delimiter, encoding):
    """A spreadsheet writes empty columns at the end."""
    text = 'a,b,,z,,z\n1,"2,5",,x,,y\n3,4,,,\n'.replace(",", delimiter)
    given = {"name": "x", "delimiter": delimiter, "encoding": encoding}
    data = text.encode(encoding)
    rows = parse_text(data, "rows", ["b", "a"], **given)
    found = {n: rows[n].to_pylist() for n in ("a", "b")}
    assert found == {"a": ["1"], "b": [f"2{delimiter}5"]}
    assert settled(rows)[1][0][:2] == (3, "5 fields instead of 6")
    with pytest.raises(InputError, match="must have names of their own"):
        parse_text(data, "rows", ["z"], **given)


@pytest.mark.parametrize("kind", ["list", "large", "map"])
def test_nested_parquet_with_broken_utf8(tmp_path, kind):
    texts = pa.array([b"x", b"\xff", b"y"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 3, texts.buffers())
    lists = {
        "list": lambda: pa.ListArray.from_arrays([0, 1, 2, 3], texts),
        "large": lambda: pa.LargeListArray.from_arrays([0, 1, 2, 3], texts),
        "map": lambda: pa.MapArray.from_arrays(
            [0, 1, 2, 3], texts, pa.array([1.0, 2.0, 3.0])
        ),
    }
    table = pa.table({"a": ["1", "2", "3"], "b": lists[kind]()})
    pq.write_table(table, tmp_path / "x.parquet")
    rows = read_table(tmp_path / "x.parquet", "rows")
    assert rows.kept.tolist() == [True, False, True]
    assert rows["b"].null_count == 1
    kept, rejects = settled(rows)
    assert [line for line, _ in kept] == [1, 3]
    assert rejects == [(2, "not UTF-8", "2\t")]


def test_empty_parquet(tmp_path):
    pq.write_table(pa.table({"a": pa.array([], "i8")}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="which is empty"):
        read_table(tmp_path / "x.parquet", "ads", ["a"])


def test_a_line_that_never_ends(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", 16)
    with pytest.raises(InputError, match="a quote that is never closed"):
        parse_text(b'a,b\n"' + b"x" * 100, "rows", name="x.csv")


def test_a_header_that_never_ends():
    for lines in (3, 100_000):
        with pytest.raises(InputError, match="a value in line 1"):
            parse_text(b'a,"b\n' + b"x\n" * lines, "rows", name="x.csv")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'a,b\n1,2\n3,"x,4\n5,6\n7,8\n', 3),  # Two fields, one open.
        (b'a,b\n1,2\n"3,x,4\n5,6\n7,8\n', 3),  # One field.
        (b'a,b\n1,2\n"3\n3","x\n5,6\n', 4),  # After a value of two lines.
        (b'a,b\r\n1,2\r\n3,"x\r\n', 3),
        (b'a,b\r1,2\r3,"x', 3),
        (b'a,b\n1,2\n3,"x\n', 3),
        (b'a,b\n1,"""2\n', 2),
        (b'a,b\n"', 2),
    ],
)
def test_a_quote_that_is_open_at_the_end(data, line):
    with pytest.raises(
        InputError, match=f"a value in line {line}\\. "
    ) as error:
        parse_text(data, "rows", name="x.csv")
    assert "`quoting: false`" in str(error.value)
    rows = parse_text(data, "rows", name="x.csv", quoting=False)
    assert len(rows) + len(rows.broken) == len(data.splitlines()) - 1


@pytest.mark.parametrize(
    "end", [b'x,"y"', b'x,"y\n"\n', b'"x",""\n\n', b'5",6"\n', b'x,y"\r\n']
)
def test_quotes_that_are_closed_at_the_end(end):
    rows = parse_text(b'a,b\n"1\n",2\n' + end, "rows", name="x.csv")
    assert rows.lines.tolist() == [2, 4]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("tail", range(1, 9))
def test_the_last_lines(end, tail, monkeypatch):
    monkeypatch.setattr(quotes, "_TAIL_BYTES", tail)
    text = end.join([b"a", b"", b"bc", b"d", b""])
    for number in range(1, 5):
        wanted = b"".join(text.splitlines(keepends=True)[-number:])
        assert quotes.last_lines(text, number) == wanted


def test_rows_of_many_lines_are_noted():
    lines = [f"{k},x" for k in range(2, 301)]
    lines[148] = '150,"x'
    lines[188] = '190,x"'
    data = "\n".join(["a,b", *lines, ""]).encode()
    rows = parse_text(data, "rows", name="x.csv")
    assert len(rows) == 299 - 40
    ledger = Ledger()
    rows.settle(ledger)
    (note,) = ledger.notes
    assert "40 of 300 lines go on with a value in quotes" in note
    assert "the row in line 150 has 41 lines" in note


def test_a_few_rows_of_two_lines_are_not_noted():
    few = b'a,b\n1,"x\ny"\n' + b"1,2\n" * 97
    assert parse_text(few, "rows", name="x.csv").spans.notes("x.csv") == ()
    more = few.replace(b"1,2\n", b'1,"\n2"\n', 1)
    (note,) = parse_text(more, "rows", name="x.csv").spans.notes("x.csv")
    assert "the row in line 2 has 2 lines" in note


def test_all_rows_refused():
    rows = parse_text(b"a,b\n1\n2\n", "ads", name="x.csv")
    with pytest.raises(
        InputError,
        match=r"x.csv must hold ads that can be read\. Received: 2 rows, all "
        "refused; line 2: 1 fields instead of 2",
    ):
        rows.settle(Ledger())


def test_the_first_reason_stands():
    rows = parse_text(b"a\n1\n2\n3\n", "rows", name="x.csv")
    rows.refuse(np.array([True, False, False]), "first")
    rows.refuse(np.array([True, True, False]), "second")
    kept, rejects = settled(rows)
    assert kept == [(4, ["3"])]
    assert rejects == [(2, "first", "1"), (3, "second", "2")]


@pytest.mark.parametrize(
    ("other", "written"),
    [
        (";", ";"),
        ("\t", r"\\t"),
        ("|", r"\|"),
        ("::", "::"),
        (", ", ", "),
        (" ", " "),
    ],
)
def test_a_delimiter_is_suggested(other, written):
    text = f"user{other}ad\n1{other}2\n".encode()
    with pytest.raises(InputError, match=f'Write `delimiter: "{written}"`'):
        parse_text(text, "rows", ["ad"], name="x.csv")
    with pytest.raises(InputError, match="must have the column 'adx'"):
        parse_text(text, "rows", ["adx"], name="x.csv")


def test_an_encoding_is_suggested():
    rows = parse_text(b"a\n\xe9\n", "rows", name="x.csv")
    with pytest.raises(InputError, match="the `encoding` of the file, such as"):
        rows.settle(Ledger())
