"""Reading JSON Lines, one object a line, piece by piece."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.intake import limits
from tfadrec.data.intake.file_checks import (
    empty_file,
    not_text,
    refuse_other_kinds,
    require_columns,
)
from tfadrec.data.intake.json_kind import JsonKind
from tfadrec.data.intake.quotes import num_lines
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.text_encoding import as_utf8
from tfadrec.data.intake.text_pieces import can_be_cut, text_pieces

#: The ends of the names of such files.
SUFFIXES = frozenset((".jsonl", ".ndjson", ".json"))
_LINE_END = re.compile(r"\r\n|\r|\n")
_NO_OBJECT = "no JSON object"


def read_json_lines(
    open_file: Callable[[], pa.NativeFile],
    size: int | None,
    unit: str,
    columns: Sequence[str],
    *,
    name: str,
    encoding: str = "utf-8",
) -> Iterator[RawRows]:
    """The rows of a JSON Lines file in batches.

    A key that a line does not have is missing there. A line that is no object
    is refused. Blank lines are no rows, but they count as lines.

    A file of several pieces is read twice: what type a column has is known when
    all of its values were seen.

    Args:
      open_file: opens the file at its begin.
      size: of a batch, at most; None for all rows in one.
      unit: what one row is, in the plural.
      columns: the keys wanted, all where there are none.
      name: what to call the file in messages.
      encoding: of the file.

    Yields:
      The rows: columns of texts, numbers, Boolean values, lists or maps,
      where all values of a key are alike, else of texts.

    Raises:
      InputError: where the file is empty, is one JSON array or one object of
        columns, or no line has a key that is wanted.
    """

    def read() -> Iterator[_Piece]:
        with open_file() as stream:
            yield from _pieces(stream, size, unit, name, encoding)

    kinds = _Kinds(columns)
    only: _Piece | None = None
    for number, piece in enumerate(read()):
        kinds.add(piece)
        only = None if number else piece
    kinds.check(unit, name)
    for piece in read() if only is None else [only]:
        table = kinds.table(piece)
        rows = RawRows(
            name,
            unit,
            table,
            np.array(piece.lines, np.int64),
            piece.broken,
            given_numbers=kinds.numbers(piece, table),
        )
        if len(rows) or rows.broken:
            yield from rows.cut(size or max(1, len(rows)))


@dataclasses.dataclass(frozen=True)
class _Piece:
    """The objects of a piece with their lines, and (line, reason, text)."""

    objects: list[dict[str, Any]]
    lines: list[int]
    broken: list[tuple[int, str, str]]


class _Kinds:
    """The keys of a file, and what the values of those that are wanted are."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = list(dict.fromkeys(columns))
        self._keys: dict[str, None] = {}
        self._kinds = {key: JsonKind() for key in self._columns}
        self._objects = self._broken = 0
        #: The first object, which may be the only one.
        self._first: dict[str, Any] = {}

    def add(self, piece: _Piece) -> None:
        """Takes note of a piece."""
        objects = piece.objects
        if objects and not self._objects:
            self._first = objects[0]
        self._objects += len(objects)
        self._broken += len(piece.broken)
        # Mostly all objects have the same keys.
        for keys in dict.fromkeys(map(tuple, objects)):
            self._keys |= dict.fromkeys(keys)
        for key in self._columns or self._keys:
            kind = self._kinds.setdefault(key, JsonKind())
            kind.add([row.get(key) for row in objects])

    def check(self, unit: str, name: str) -> None:
        """Refuses a file without rows, without a key, or of columns."""
        if not self._objects and not self._broken:
            raise empty_file(name, unit)
        if self._objects:
            require_columns(name, list(self._keys), self._columns)
        if self._objects == 1 < len(self._kinds) and all(
            isinstance(self._first.get(key), dict | list) for key in self._kinds
        ):
            raise InputError(
                f"a JSON file of {unit} must hold one object a line. Received: "
                f"{name}, which is one object of columns. Write it by rows; in "
                'pandas with to_json(…, orient="records", lines=True).'
            )

    def table(self, piece: _Piece) -> pa.Table:
        """The columns of a piece."""
        return pa.table(
            {
                key: kind.column([row.get(key) for row in piece.objects])
                for key, kind in self._kinds.items()
            }
        )

    def numbers(self, piece: _Piece, table: pa.Table) -> dict[str, pa.Array]:
        """The numbers that columns of texts have as well, [n] each."""
        return {
            key: kind.numbers([row.get(key) for row in piece.objects])
            for key, kind in self._kinds.items()
            if kind.has_numbers
            and pa.types.is_string(table.schema.field(key).type)
        }


def _pieces(
    stream: pa.NativeFile,
    size: int | None,
    unit: str,
    name: str,
    encoding: str,
) -> Iterator[_Piece]:
    """The objects of a file, one piece after another."""
    is_whole = size is None or not can_be_cut(encoding)
    room = None if is_whole else limits.TEXT_BYTES
    before = 0
    is_begin = True
    for data in text_pieces(stream, room, lambda text: text.rfind(b"\n") + 1):
        if not before:
            refuse_other_kinds(data, unit, name, encoding)
        text, mark = as_utf8(data, encoding)
        piece = _Piece([], [], [])
        for number, line in enumerate(_LINE_END.split(text.decode()), 1):
            if not line.strip():
                continue
            reason = _add(piece, line, before + number, mark, encoding)
            if reason == _NO_OBJECT and is_begin and line.lstrip()[0] == "[":
                raise InputError(
                    f"a JSON file of {unit} must hold one object a line. "
                    f"Received: {name}, which begins an array. Write each of "
                    "its objects on a line of its own."
                )
            is_begin = False
        before += num_lines(text)
        yield piece


def _add(
    piece: _Piece, line: str, number: int, mark: str, encoding: str
) -> str:
    """Adds a line to a piece; why it is broken, or ""."""
    if mark and mark in line:
        reason = not_text(encoding)
        piece.broken.append((number, reason, line.replace(mark, "\ufffd")))
        return reason
    found = _object(line)
    if found is None:
        piece.broken.append((number, _NO_OBJECT, line))
        return _NO_OBJECT
    piece.objects.append(found)
    piece.lines.append(number)
    return ""


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
        if "\\u" in line:
            # JSON can write half of a character, which is no text.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
