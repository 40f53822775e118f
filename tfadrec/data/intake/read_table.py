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
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.read_parquet import read_parquet
from tfadrec.data.intake.read_text import read_text

_LOG = logging.getLogger(__name__)


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

    Yields:
      The rows: text columns as strings, others in their own type.

    Raises:
      InputError: where the file cannot be read, is empty or lacks a column, or
        is of another kind, or of one that has no delimiter or encoding.
    """
    name = name or str(path)
    _LOG.info("Reading %s", name)
    suffixes = set(pathlib.PurePosixPath(str(path).lower()).suffixes)
    filesystem, inner = open_filesystem(path)
    textual = {
        "delimiter": delimiter,
        "columns": None if header else columns,
        "quoting": None if quoting else quoting,
    }
    if delimiter is None:
        delimiter = "\t" if {".tsv", ".tab"} & suffixes else ","

    def batches() -> Iterator[RawRows]:
        info = filesystem.get_file_info(inner)
        if info.type == pyarrow.fs.FileType.NotFound:
            raise InputError(
                f"a file of {unit} must exist. Received: {name}, which does "
                "not. Check the path."
            )
        require_files(filesystem, info, name)
        if info.type == pyarrow.fs.FileType.Directory or ".parquet" in suffixes:
            _refuse_settings({**textual, "encoding": encoding}, name, "Parquet")
            yield from read_parquet(
                filesystem, inner, name, unit, columns, size
            )
            return
        if suffixes & SUFFIXES:
            _refuse_settings(textual, name, "JSON Lines")
            yield from read_json_lines(
                lambda: filesystem.open_input_stream(inner),
                size,
                unit,
                columns,
                name=name,
                encoding=encoding or "utf-8",
            )
            return
        with filesystem.open_input_stream(inner) as stream:
            yield from read_text(
                stream,
                size,
                unit,
                columns,
                name=name,
                delimiter=delimiter,
                header=header,
                quoting=quoting,
                encoding=encoding or "utf-8",
            )

    yield from _readable(batches(), filesystem, inner, unit, name)


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
