"""Text that is read piece by piece is read as it is as a whole."""

import numpy as np
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.intake import limits
from tfadrec.data.intake.line_spans import LineSpans
from tfadrec.data.intake.quotes import end_of_rows
from tfadrec.data.intake.read_table import pieces_of, read_batches

LONG = "\n".join(["", *map(str, range(12)), ""])


def texts():
    """Lines of every kind: quoted, short, blank, broken, with stray quotes."""
    rng = np.random.default_rng(0)
    fields = ["a", "", '"b"', '"c\nd"', '"e""f"', '5"', '"g\r\n,h"', "\xe9"]
    stray = ["a", '5" x 3"', 'b"c', '"d\n5"']
    for name, kinds, end in (
        ("quotes", fields[:5], "\n"),
        ("plain", ["a", "", "b"], "\n"),
        ("windows", [*fields[:3], fields[6]], "\r\n"),
        ("stray", stray, "\n"),
    ):
        rows = [",".join(rng.choice(kinds, 3)) for _ in range(60)]
        rows[7] = ""
        rows[20] = "too,many,fields,here"
        rows[33] = f'x,"{LONG}",y'
        yield name, end.join(["p,q,r", *rows]).encode()
        yield f"{name} with an end", end.join(["p,q,r", *rows, ""]).encode()
    bad = b"p,q,r\n1,2,3\n4,\xff,6\n" * 9
    yield "broken", b"\xef\xbb\xbf" + bad


def rows_of(batches):
    """The rows, those that are broken, and what is to be said of the file."""
    found, broken, spans = [], [], LineSpans()
    for rows in batches:
        spans.merge(rows.spans or LineSpans())
        broken += rows.refused()
        values = rows.table.rename_columns(["p", "q", "r"]).to_pylist()
        found += zip(rows.lines.tolist(), values, strict=True)
    return found, broken, spans.notes("x.csv")


@pytest.mark.parametrize("room", [40, 700])
@pytest.mark.parametrize(("name", "text"), list(texts()))
def test_pieces_are_read_as_the_whole(tmp_path, monkeypatch, name, text, room):
    path = tmp_path / "x.csv"
    path.write_bytes(text)
    whole = rows_of(read_batches(path, "rows", ["q"], size=None))
    pieces = list(
        pieces_of(path, "rows", ["q"], rows=1, room=room, name="x.csv")
    )
    assert len(pieces) > (4 if room == 40 and name != "stray" else 0)
    # Each of them by itself, in any order.
    apart = {
        number: list(
            read_batches(path, "rows", ["q"], size=None, piece=pieces[number])
        )
        for number in reversed(range(len(pieces)))
    }
    assert rows_of(b for n in sorted(apart) for b in apart[n]) == whole
    monkeypatch.setattr(limits, "TEXT_BYTES", room)
    assert rows_of(read_batches(path, "rows", ["q"], size=5)) == whole
    assert len(whole[0]) > 10
    # The row of 14 lines is noted.
    assert bool(whole[2]) == (name != "broken")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b"", 0),
        (b"a,b", 0),
        (b"a\nb", 2),
        (b'a\n"b\nc', 2),
        (b'a\n"b\nc"\nd', 8),
        (b'"b""\nc', 0),
        (b'"b""\nc",\nd', 9),
        (b'5"\nb\n"c\n', 5),
        (b'x,5"\n"c\n"\n6"', 10),
    ],
)
def test_where_whole_rows_end(text, end):
    assert end_of_rows(text, ",", quoting=True) == end
    assert end_of_rows(text, ",", quoting=False) == text.rfind(b"\n") + 1


def test_a_quote_that_is_left_open_is_told_by_its_line(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,q\n" + b'1,"2\n"\n' * 50 + b'3,"4\n5,6\n')
    monkeypatch.setattr(limits, "TEXT_BYTES", 64)
    with pytest.raises(InputError, match="opens a value in line 102"):
        list(read_batches(path, "rows", ["q"], size=5))
