"""Reading delimited text piece by piece."""

from collections.abc import Iterator

import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.intake import limits
from tfadrec.data.intake.file_checks import empty_file, refuse_other_kinds
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.text_parser import TextParser
from tfadrec.data.intake.text_piece import TextPiece
from tfadrec.data.intake.text_pieces import text_pieces


def read_text(
    stream: pa.NativeFile,
    size: int | None,
    parser: TextParser,
    piece: TextPiece | None = None,
) -> Iterator[RawRows]:
    """The rows of a text file in batches.

    Args:
      stream: the file.
      size: of a batch, at most; None for all rows in one.
      parser: of the file, before its first piece.
      piece: what is read of the file, which can be entered anywhere; None for
        all of it.

    Raises:
      InputError: where the file is empty, lacks a column or ends in a quote.
    """
    room: int | None = limits.TEXT_BYTES
    if size is None or not parser.can_be_pieces:
        room = None
    if piece is not None:
        parser.go_on(piece.lines, piece.names)
        stream.seek(piece.begin)
        stream, room = pa.BufferReader(stream.read(piece.size)), None
    is_begin = piece is None or not piece.begin
    is_empty = piece is None
    for data in text_pieces(stream, room, parser.end_of_rows):
        if is_begin:
            refuse_other_kinds(data, parser.unit, parser.name, parser.encoding)
        is_begin = False
        rows = parser.parse(data)
        if rows is not None:
            is_empty = False
            yield from rows.cut(size or max(1, len(rows)))
    if is_empty:
        raise empty_file(parser.name, parser.unit)


def pieces_of_text(
    stream: pa.NativeFile, room: int, parser: TextParser
) -> Iterator[TextPiece]:
    """Cuts a text into pieces, for which it is read but not parsed.

    Args:
      stream: the file, which `can_be_pieces`.
      room: bytes of a piece, about.
      parser: of the file, before its first piece.
    """
    begin = 0
    for data in text_pieces(stream, room, parser.end_of_rows):
        if data or not begin:
            yield TextPiece(begin, len(data), *parser.place)
        begin += len(data)
        try:
            parser.skip(data)
        except InputError:
            # Who reads the piece says so.
            return
