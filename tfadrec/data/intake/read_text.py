"""Reading delimited text piece by piece."""

import functools
from collections.abc import Iterator, Sequence

import pyarrow as pa

from tfadrec.data.intake import limits
from tfadrec.data.intake.file_checks import empty_file, refuse_other_kinds
from tfadrec.data.intake.quotes import end_of_rows
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.text_parser import TextParser
from tfadrec.data.intake.text_pieces import can_be_cut, text_pieces


def read_text(
    stream: pa.NativeFile,
    size: int | None,
    unit: str,
    columns: Sequence[str],
    *,
    name: str,
    delimiter: str,
    header: bool,
    quoting: bool,
    encoding: str,
) -> Iterator[RawRows]:
    """The rows of a text file in batches.

    Args:
      stream: the file.
      size: of a batch, at most; None for all rows in one.
      unit: see `TextParser`, and so the others.
      columns: as above.
      name: as above.
      delimiter: as above.
      header: as above.
      quoting: as above.
      encoding: as above.

    Raises:
      InputError: where the file is empty, lacks a column or ends in a quote.
    """
    parser = TextParser(
        unit,
        columns,
        name=name,
        delimiter=delimiter,
        header=header,
        quoting=quoting,
        encoding=encoding,
    )
    room: int | None = limits.TEXT_BYTES
    one = len(delimiter.encode()) == 1
    if size is None or not can_be_cut(encoding) or not one:
        room = None
    last: RawRows | None = None
    is_first = True
    end = functools.partial(end_of_rows, delimiter=delimiter, quoting=quoting)
    for piece in text_pieces(stream, room, end):
        if is_first:
            refuse_other_kinds(piece, unit, name, encoding)
        is_first = False
        rows = parser.parse(piece)
        batches = [] if rows is None else rows.cut(size or max(1, len(rows)))
        for batch in batches:
            if last is not None:
                yield last
            last = batch
    if last is None:
        raise empty_file(name, unit)
    # What is to be said of the file is known in the end.
    last.notes = parser.notes()
    yield last
