"""Reading text, JSON Lines and Parquet without losing a row or its line."""

import logging
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.fs

from tfadrec.core.errors import InputError
from tfadrec.data.files import open_filesystem, require_files
from tfadrec.data.intake.file_checks import one_line, refuse_kind
from tfadrec.data.intake.json_lines import SUFFIXES, read_json_lines
from tfadrec.data.intake.looks_like import is_plain, looks_like
from tfadrec.data.intake.parquet_piece import ParquetPiece
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.read_parquet import (
    pieces_of_parquet,
    read_parquet,
)
from tfadrec.data.intake.read_text import pieces_of_text, read_text
from tfadrec.data.intake.text_parser import TextParser
from tfadrec.data.intake.text_piece import TextPiece

_LOG = logging.getLogger(__name__)
#: A part of a file that can be read by itself.
Piece = TextPiece | ParquetPiece
#: Files that Arrow unpacks while it reads them.
_PACKED = frozenset((".gz", ".bz2", ".lz4", ".zst"))


def read_table(
    path: str | pathlib.Path,
    unit: str,
    columns: Sequence[str] = (),
    **settings: Any,
) -> RawRows:
    """All rows of a file, see `read_batches`."""
    (rows,) = read_batches(path, unit, columns, size=None, **settings)
    return rows


def read_batches(
    path: str | pathlib.Path,
    unit: str,
    columns: Sequence[str] = (),
    *,
    size: int | None,
    name: str | None = None,
    delimiter: str | None = None,
    header: bool = True,
    quoting: bool = True,
    encoding: str | None = None,
    piece: Piece | None = None,
) -> Iterator[RawRows]:
    """Reads a file of rows in batches.

    Text is in memory as a whole where it is not UTF-8 or its delimiter has
    several characters, and where its lines do not end in a line feed; other
    files never are.

    Args:
      path: a local path or a URI. `.parquet` files and folders are Parquet,
        `.jsonl`, `.ndjson` and `.json` files JSON Lines, whatever else is text;
        text is unpacked where its name ends in `.gz`.
      unit: what one row is, in the plural.
      columns: the columns wanted; without a header, the names of all columns.
      size: of a batch, about; None for all rows in one.
      name: what to call the file in messages; `path` by default.
      delimiter: of text, one character or more; a tab for `.tsv` and `.tab`,
        else a comma.
      header: whether the first line of text holds the names of the columns.
      quoting: whether `"` in text holds values together, line ends included.
      encoding: of text and JSON Lines; UTF-8 by default.
      piece: what is read of the file, see `pieces_of`; None for all of it.

    Yields:
      The rows: text columns as strings, others in their own type.

    Raises:
      InputError: where the file cannot be read, is empty or lacks a column, or
        is of another kind, or of one that has no delimiter or encoding.
    """
    name = name or str(path)
    _LOG.info("Reading %s", name)
    filesystem, inner = open_filesystem(path)
    textual = {
        "delimiter": delimiter,
        "columns": None if header else columns,
        "quoting": None if quoting else quoting,
    }

    def batches() -> Iterator[RawRows]:
        info = filesystem.get_file_info(inner)
        if info.type == pyarrow.fs.FileType.NotFound:
            raise InputError(
                f"a file of {unit} must exist. Received: {name}, which does "
                "not. Check the path."
            )
        require_files(filesystem, info, name)
        kind = _kind(path, info)
        if kind == "Parquet":
            _refuse_settings({**textual, "encoding": encoding}, name, kind)
            assert not isinstance(piece, TextPiece)
            yield from read_parquet(
                filesystem, inner, name, unit, columns, size, piece
            )
        elif kind == "JSON Lines":
            _refuse_settings(textual, name, kind)
            yield from read_json_lines(
                lambda: filesystem.open_input_stream(inner),
                size,
                unit,
                columns,
                name=name,
                encoding=encoding or "utf-8",
            )
        else:
            assert not isinstance(piece, ParquetPiece)
            parser = _text_parser(
                path, unit, columns, name, delimiter, header, quoting, encoding
            )
            # A stream is unpacked; a file can be entered in its midst.
            is_whole = piece is None
            with (
                filesystem.open_input_stream(inner)
                if is_whole
                else filesystem.open_input_file(inner)
            ) as stream:
                yield from read_text(stream, size, parser, piece)

    yield from _readable(batches(), filesystem, inner, unit, name)


def pieces_of(
    path: str | pathlib.Path,
    unit: str,
    columns: Sequence[str] = (),
    *,
    rows: int,
    room: int,
    name: str,
    delimiter: str | None = None,
    header: bool = True,
    quoting: bool = True,
    encoding: str | None = None,
) -> Iterator[Piece | None]:
    """Cuts a file into pieces that can be read by themselves.

    JSON Lines, packed text, and text that is in memory as a whole are one
    piece, and so is what cannot be read: who reads it says so.

    Args:
      path: see `read_batches`, and so all that is not told here.
      unit: as there.
      columns: as there.
      rows: of a piece of Parquet, about.
      room: bytes of a piece of text, about.
      name: as there.
      delimiter: as there.
      header: as there.
      quoting: as there.
      encoding: as there.

    Yields:
      The pieces in order; None for one that is the whole file.
    """
    filesystem, inner = open_filesystem(path)

    def cut() -> Iterator[Piece]:
        info = filesystem.get_file_info(inner)
        kind = _kind(path, info)
        if kind == "Parquet":
            yield from pieces_of_parquet(filesystem, inner, rows)
        is_packed = bool(_suffixes(path) & _PACKED)
        if kind != "text" or is_packed or (info.size or 0) <= room:
            return
        parser = _text_parser(
            path, unit, columns, name, delimiter, header, quoting, encoding
        )
        if parser.can_be_pieces:
            with filesystem.open_input_file(inner) as stream:
                yield from pieces_of_text(stream, room, parser)

    is_cut = False
    try:
        for piece in cut():
            is_cut = True
            yield piece
    except (OSError, ValueError, pa.ArrowException):
        if is_cut:
            raise
    if not is_cut:
        yield None


def _kind(path: str | pathlib.Path, info: pyarrow.fs.FileInfo) -> str:
    """`Parquet`, `JSON Lines` or `text`, as a file is called."""
    suffixes = _suffixes(path)
    if info.type == pyarrow.fs.FileType.Directory or ".parquet" in suffixes:
        return "Parquet"
    return "JSON Lines" if suffixes & SUFFIXES else "text"


def _suffixes(path: str | pathlib.Path) -> set[str]:
    return set(pathlib.PurePosixPath(str(path).lower()).suffixes)


def _text_parser(
    path: str | pathlib.Path,
    unit: str,
    columns: Sequence[str],
    name: str,
    delimiter: str | None,
    header: bool,
    quoting: bool,
    encoding: str | None,
) -> TextParser:
    if delimiter is None:
        delimiter = "\t" if {".tsv", ".tab"} & _suffixes(path) else ","
    return TextParser(
        unit,
        columns,
        name=name,
        delimiter=delimiter,
        header=header,
        quoting=quoting,
        encoding=encoding or "utf-8",
    )


def _readable(
    batches: Iterator[RawRows],
    filesystem: pyarrow.fs.FileSystem,
    inner: str,
    unit: str,
    name: str,
) -> Iterator[RawRows]:
    """The batches; of errors it is said which file they are of."""
    while True:
        try:
            rows = next(batches, None)
        except InputError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            _refuse_other_names(_first_bytes(filesystem, inner), unit, name)
            raise InputError(
                f"a file of {unit} must be readable. Received: {name} "
                f"({one_line(error)}). Check the file and its permissions."
            ) from error
        if rows is None:
            return
        yield rows


def _refuse_settings(settings, name: str, kind: str) -> None:
    given = [key for key, value in settings.items() if value is not None]
    if given:
        raise InputError(
            f"{', '.join(given)} can be said of text only. Received: {name}, "
            f"which is {kind}. Remove it."
        )


def _first_bytes(filesystem: pyarrow.fs.FileSystem, inner: str) -> bytes:
    """As they are stored, or none where they cannot be had."""
    try:
        with filesystem.open_input_stream(inner, compression=None) as stream:
            return stream.read(4096)
    except (OSError, ValueError, pa.ArrowException):
        return b""


def _refuse_other_names(data: bytes, unit: str, name: str) -> None:
    """Refuses an unreadable file that is of another kind than its name says."""
    found = looks_like(data)
    if is_plain(data):
        found = found or "text; let its name end in .csv"
    if found and not name.lower().endswith(found.rpartition(" ")[2]):
        refuse_kind(found, unit, name)
