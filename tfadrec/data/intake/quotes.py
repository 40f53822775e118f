"""Which lines of a text file quotes hold together, and quotes left open."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError

LINE_END = rb"\r\n|\r|\n"
#: Rows of more lines, and a larger share of lines inside of values, are noted.
_MANY_LINES = 10
_LARGE_SHARE = 0.01
#: How much of the end of a text is looked at first.
_TAIL_BYTES = 1 << 12
#: A row that was refused for its number of fields: ordinal, fields, text.
Invalid = tuple[int, int, str]


def rows_and_lines(
    table: pa.Table, ordinals: np.ndarray, invalid: Sequence[Invalid], text
) -> tuple[np.ndarray, int]:
    """The line where each row begins, and how many lines there are.

    Args:
      table: [n] rows.
      ordinals: int64 [n + invalid], those of the rows in the file, from 1, the
        invalid rows' last.
      invalid: the other rows.
      text: bytes, the file.

    Returns:
      int64 [n + invalid] in the order of `ordinals`, and a number.
    """
    lines = text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")
    lines += not text.endswith((b"\n", b"\r"))
    if len(ordinals) == lines:
        return ordinals, lines
    ends = np.zeros(len(ordinals), np.int64)
    signs = {"\n": 1}
    if b"\r" in text:
        signs |= {"\r": 1, "\r\n": -1}
    for column in table.columns:
        for end, sign in signs.items():
            inside = pc.count_substring(column, end).to_numpy()
            ends[: len(table)] += sign * inside
    ends[len(table) :] = [
        len(re.findall(LINE_END.decode(), row)) for _, _, row in invalid
    ]
    by_ordinal = np.zeros(len(ordinals), np.int64)
    by_ordinal[ordinals - 1] = ends
    before = np.cumsum(by_ordinal) - by_ordinal
    return ordinals + before[ordinals - 1], lines


def refuse_open_quote(
    text: bytes, delimiter: str, name: str, first_line: int = 1
) -> None:
    """Refuses a text that ends between quotes.

    Args:
      text: whole rows.
      delimiter: of one byte.
      name: what to call the file in messages.
      first_line: the line of the file where the text begins.

    Raises:
      InputError: where a quote is open at its end.
    """
    at = _open_quote(text, delimiter)
    if at is not None:
        line = first_line + len(re.findall(LINE_END, text[:at]))
        raise InputError(
            f"{name} must close every quote. Received: a quote that is never "
            f"closed, which opens a value in line {line}. Remove it, or "
            "put the value in quotes and double those in it, or write "
            "`quoting: false` where quotes have no meaning in the file."
        )


def last_lines(text: bytes, number: int) -> bytes:
    """The last lines of a text, with their ends."""
    size = _TAIL_BYTES
    while True:
        lines = text[-size:].splitlines(keepends=True)
        # The first of these may be a part of a line.
        if len(lines) > number or size >= len(text):
            return b"".join(lines[-number:])
        size *= 4


def note_long_rows(starts: np.ndarray, lines: int, name: str) -> list[str]:
    """What is to be said of values that hold many line ends.

    Args:
      starts: int64 [n], the line where each row begins, in any order.
      lines: how many there are.
      name: what to call the file.

    Returns:
      At most one note.
    """
    if len(starts) == lines:
        return []
    starts = np.sort(starts)
    spans = np.diff(starts, append=lines + 1)
    inside = int((spans - 1).sum())
    long = spans > _MANY_LINES
    if not long.any() and inside <= _LARGE_SHARE * lines:
        return []
    row = int(np.argmax(long if long.any() else spans > 1))
    return [
        f"{name}: {inside:,} of {lines:,} lines go on with a value in quotes; "
        f"the row in line {starts[row]} has {spans[row]:,} lines. If it should "
        "have one, a quote is not closed there"
    ]


def _open_quote(text: bytes, delimiter: str) -> int | None:
    """Where the value begins that the end of the text cuts off."""
    opening = re.compile(
        rb'(?:\A|(?<=[\r\n%s]))"' % re.escape(delimiter.encode())
    )
    found = opening.search(text)
    while found:
        close = text.find(b'"', found.end())
        while close >= 0 and text.startswith(b'"', close + 1):
            close = text.find(b'"', close + 2)
        if close < 0:
            return found.start()
        found = opening.search(text, close + 1)
    return None
