"""Reading delimited text without losing a row or its line."""

import collections
import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tfadrec.core.errors import InputError
from tfadrec.data.intake.file_checks import (
    empty_file,
    not_text,
    one_line,
    require_columns,
)
from tfadrec.data.intake.line_spans import LineSpans
from tfadrec.data.intake.quotes import (
    LINE_END,
    end_of_rows,
    last_lines,
    lines_of_rows,
    num_lines,
    refuse_open_quote,
)
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.text_encoding import as_utf8, with_one_character
from tfadrec.data.intake.text_pieces import can_be_cut

_BLOCK_BYTES = 1 << 26
#: What is tried to tell the delimiter, where that of the file's name is wrong,
#: and where it is looked for.
_DELIMITERS = (";", "\t", "|", ",", "::", "||", ", ", " ")
_HEADER_BYTES = 4096
_JSON = re.compile(rb'\s*(?:\[\s*)?\{\s*"(?:[^"\\]|\\.)*"\s*:')


def parse_text(
    data: bytes,
    unit: str,
    columns: Sequence[str] = (),
    *,
    name: str,
    **settings: Any,
) -> RawRows:
    """Reads the rows of a text file that is in memory, see `TextParser`.

    Raises:
      InputError: where the file is empty, lacks a column or ends in a quote.
    """
    parser = TextParser(unit, columns, name=name, **settings)
    rows = parser.parse(data)
    if rows is None:
        raise empty_file(name, unit)
    return rows


class TextParser:
    """Reads the rows of a text file, which may come in pieces.

    A line without any character is no row, but it counts as a line. A row with
    another number of fields than the first, or with broken text, is refused.

    Args:
      unit: what one row is, in the plural.
      columns: the columns wanted; without a header, the names of all columns.
      name: what to call the file in messages.
      delimiter: one character or more.
      header: whether the first row holds the names of the columns.
      quoting: whether `"` holds values together.
      encoding: of the file.
    """

    def __init__(
        self,
        unit: str,
        columns: Sequence[str] = (),
        *,
        name: str,
        delimiter: str = ",",
        header: bool = True,
        quoting: bool = True,
        encoding: str = "utf-8",
    ) -> None:
        self.unit, self.name, self.encoding = unit, name, encoding
        self._columns = columns
        self._delimiter, self._quoting = delimiter, quoting
        self._names = None if header else list(columns)
        self._lines = 0
        self._spans = LineSpans()

    @property
    def can_be_pieces(self) -> bool:
        """Whether the file can be cut between rows before these are read."""
        return can_be_cut(self.encoding) and len(self._delimiter.encode()) == 1

    def end_of_rows(self, data: bytes) -> int:
        """Where the last row of a text ends that is whole, see `quotes`."""
        return end_of_rows(data, self._delimiter, quoting=self._quoting)

    def go_on(self, lines: int, names: Sequence[str]) -> None:
        """Lets the next piece be one from the midst of the file.

        Args:
          lines: before it.
          names: of all columns; none where no row came before it.
        """
        self._lines = lines
        self._names = list(names) or self._names

    @property
    def place(self) -> tuple[int, tuple[str, ...]]:
        """Where a parser that reads the next piece is to `go_on`."""
        return self._lines, tuple(self._names or ())

    def skip(self, data: bytes) -> None:
        """Passes over the next piece, of which only the header is read.

        Raises:
          InputError: where the header lacks a column.
        """
        if self._names is None:
            text, _ = as_utf8(data, self.encoding)
            if text.strip():
                self._names = self._header(text, self._delimiter)
        self._lines += num_lines(data)

    def parse(self, data: bytes) -> RawRows | None:
        """The rows of the next piece, all columns strings.

        Args:
          data: whole rows, with the ends of their lines.

        Returns:
          The rows; None where there are none.

        Raises:
          InputError: where the file lacks a column, or the piece ends in a
            quote.
        """
        text, mark = as_utf8(data, self.encoding)
        name, delimiter, quoting = self.name, self._delimiter, self._quoting
        number = num_lines(text)
        if not text.strip():
            self._spans.add(np.arange(number), number, self._lines)
            self._lines += number
            return None
        if len(delimiter.encode()) > 1:
            text, delimiter = with_one_character(text, delimiter, name)
        names, has_header = self._names, self._names is None
        if names is None:
            names = self._names = self._header(text, delimiter)
        table, ordinals, invalid = _parse(text, names, delimiter, quoting, name)
        lines = ordinals
        if quoting and b'"' in text:
            lines = lines_of_rows(table, ordinals, invalid, number)
            last = int(lines.max(initial=1))
            tail = last_lines(text, number - last + 1)
            refuse_open_quote(tail, delimiter, name, self._lines + last)
        self._spans.add(lines, number, self._lines)
        real = ~_blank(table, lines, text)
        if has_header:
            real[np.flatnonzero(real)[:1]] = False
        lines = lines + self._lines
        self._lines += number
        wrong = f"fields instead of {len(names)}"
        broken = [
            (int(line), f"{found} {wrong}", row)
            for line, (_, found, row) in zip(
                lines[len(table) :], invalid, strict=True
            )
        ]
        lines = lines[: len(table)]
        if not real.all():
            table, lines = table.filter(real), lines[real]
        if not len(table) and not broken:
            return None
        rows = RawRows(name, self.unit, table, lines, broken, self._spans)
        self._spans = LineSpans()
        if delimiter != self._delimiter:
            # Where it stood between quotes it is a part of the value.
            _replace(rows, delimiter, self._delimiter)
        if mark:
            _refuse_marked(rows, mark, not_text(self.encoding))
        return rows

    def _header(self, text: bytes, delimiter: str) -> list[str]:
        """The names of all columns, of which those that are wanted are there.

        Raises:
          InputError: where one is missing.
        """
        name, columns, quoting = self.name, self._columns, self._quoting
        names = _header(text, delimiter, quoting, name)
        names = [column.replace(delimiter, self._delimiter) for column in names]
        if not set(columns) <= set(names):
            _refuse_header(text, columns, names, quoting, name)
        require_columns(name, names, columns)
        return _apart(names)


def _replace(rows: RawRows, old: str, new: str) -> None:
    """Puts one text in the place of another, in every column."""
    for place, column in enumerate(rows.table.column_names):
        values = pc.replace_substring(rows[column], old, new)
        rows.table = rows.table.set_column(place, column, values)
    rows.broken = tuple(
        (line, reason, row.replace(old, new))
        for line, reason, row in rows.broken
    )


def _header(text, delimiter, quoting, name) -> list[str]:
    """The values of the first row that is no blank line."""
    reader = csv.reader(
        io.TextIOWrapper(io.BytesIO(text), "utf-8", newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
    )
    try:
        names = next(row for row in reader if row)
    except csv.Error as error:
        refuse_open_quote(text, delimiter, name)
        raise InputError(
            f"{name} must begin with the names of its columns. Received: "
            f"{error}. Look for a quote that is closed too late."
        ) from error
    if quoting and any("\n" in column or "\r" in column for column in names):
        refuse_open_quote(text, delimiter, name)
    return names


def _apart(names: list[str]) -> list[str]:
    """The names, with a name of its own for each column that is not wanted."""
    counts = collections.Counter(names)
    return [
        name if counts[name] == 1 else f"{name}\0{place}"
        for place, name in enumerate(names)
    ]


def _refuse_header(text, columns, names, quoting, name) -> None:
    """Refuses JSON, and a header that another delimiter splits as is wanted."""
    if _JSON.match(text):
        raise InputError(
            f"a file of rows must be what its name says. Received: {name}, "
            "which looks like JSON. Write one object a line, and let its name "
            "end in .jsonl."
        )
    for other in _DELIMITERS:
        if other.encode() not in text[:_HEADER_BYTES]:
            continue
        split, one = text, other
        if len(other) > 1:
            split, one = with_one_character(text, other, name)
        if set(columns) <= set(_header(split, one, quoting, name)):
            raise InputError(
                f"{name} must have the columns {', '.join(columns)}. Received: "
                f"{', '.join(names)}. Write `delimiter: {json.dumps(other)}`."
            )


def _parse(text, names, delimiter, quoting, name):
    """All rows with the right number of fields, and the others.

    Returns:
      table, rows' ordinals in the file (from 1, int64 [n + invalid], the
      invalid rows' last), and (ordinal, fields, text) of invalid rows.
    """
    invalid = []

    def set_aside(row):
        invalid.append((row.number, row.actual_columns, row.text))
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            # Row numbers are only told to a reader with a single thread.
            pyarrow.csv.ReadOptions(
                column_names=names, use_threads=False, block_size=_BLOCK_BYTES
            ),
            pyarrow.csv.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quoting else False,
                double_quote=quoting,
                newlines_in_values=quoting,
                ignore_empty_lines=False,
                invalid_row_handler=set_aside,
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if quoting:
            refuse_open_quote(text, delimiter, name)
        raise InputError(
            f"{name} must hold lines of {len(names)} fields. Received: "
            f"{one_line(error)}. Look for a quote that is closed too late."
        ) from error
    wrong = np.array([number for number, _, _ in invalid], np.int64)
    ordinals = np.arange(1, len(table) + len(wrong) + 1)
    right = np.delete(ordinals, wrong - 1)
    return table, np.concatenate([right, wrong]), invalid


def _blank(table, lines, text):
    """Bool [n], True for a line without any character."""
    empty = np.ones(len(table), bool)
    for column in table.columns:
        empty &= pc.equal(column, "").to_numpy()
    if empty.any():
        physical = re.split(LINE_END, text)
        for row in np.flatnonzero(empty):
            empty[row] = not physical[lines[row] - 1]
    return empty


def _refuse_marked(rows: RawRows, mark: str, reason: str) -> None:
    """Refuses rows with a mark, and shows it as U+FFFD."""
    bad = np.zeros(len(rows), bool)
    for place, column in enumerate(rows.table.column_names):
        values = rows[column]
        marked = pc.match_substring(values, mark)
        if pc.any(marked).as_py():
            bad |= pc.fill_null(marked, False).to_numpy()
            values = pc.replace_substring(values, mark, "\ufffd")
            rows.table = rows.table.set_column(place, column, values)
    rows.broken = tuple(
        (line, reason, row.replace(mark, "\ufffd"))
        if mark in row
        else (line, why, row)
        for line, why, row in rows.broken
    )
    rows.refuse(bad, reason)
