"""Which lines of a text file quotes hold together, and quotes left open."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError

LINE_END = rb"\r\n|\r|\n"
#: How much of the end of a text is looked at first.
_TAIL_BYTES = 1 << 12
#: A row that was refused for its number of fields: ordinal, fields, text.
Invalid = tuple[int, int, str]


def num_lines(text: bytes) -> int:
    """How many lines a text has; the last one may lack its end."""
    ends = text.count(b"\n")
    if b"\r" in text:
        ends += text.count(b"\r") - text.count(b"\r\n")
    return ends + (text != b"" and not text.endswith((b"\n", b"\r")))


def lines_of_rows(
    table: pa.Table,
    ordinals: np.ndarray,
    invalid: Sequence[Invalid],
    lines: int,
) -> np.ndarray:
    """The line where each row begins.

    Args:
      table: [n] rows.
      ordinals: int64 [n + invalid], those of the rows in the file, from 1, the
        invalid rows' last.
      invalid: the other rows.
      lines: how many there are.

    Returns:
      int64 [n + invalid] in the order of `ordinals`.
    """
    if len(ordinals) == lines:
        return ordinals
    ends = np.zeros(len(ordinals), np.int64)
    for column in table.columns:
        for end, sign in (("\n", 1), ("\r", 1), ("\r\n", -1)):
            inside = pc.count_substring(column, end).to_numpy()
            ends[: len(table)] += sign * inside
    ends[len(table) :] = [
        len(re.findall(LINE_END.decode(), row)) for _, _, row in invalid
    ]
    by_ordinal = np.zeros(len(ordinals), np.int64)
    by_ordinal[ordinals - 1] = ends
    before = np.cumsum(by_ordinal) - by_ordinal
    return ordinals + before[ordinals - 1]


def end_of_rows(text: bytes, delimiter: str, *, quoting: bool) -> int:
    """Where the last row of a text ends that is whole; 0 where there is none.

    Args:
      text: of which the end may be cut off.
      delimiter: of one byte.
      quoting: whether a line end between quotes is a part of its value.
    """
    end = text.rfind(b"\n") + 1
    while quoting and end:
        at = _last_open_quote(text[:end], delimiter)
        if at is None:
            break
        end = text.rfind(b"\n", 0, at) + 1
    return end


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


def _last_open_quote(text: bytes, delimiter: str) -> int | None:
    """A quote of the value that the end of the text cuts off, or None.

    Mostly all quotes open and close values in turn, and their number tells it.
    """
    letters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    beside = np.frombuffer(b'\r\n"' + delimiter.encode(), np.uint8)
    opening, closing = quotes[::2], quotes[1::2]
    opened = np.isin(letters[opening - 1], beside) | (opening == 0)
    after = letters[np.minimum(closing + 1, len(letters) - 1)]
    if not opened.all() or not np.isin(after, beside).all():
        return _open_quote(text, delimiter)
    return int(quotes[-1]) if len(quotes) % 2 else None


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
