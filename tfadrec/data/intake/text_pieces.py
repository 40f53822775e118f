"""Files of text in pieces of whole rows."""

import codecs
from collections.abc import Callable, Iterator

import pyarrow as pa


def can_be_cut(encoding: str) -> bool:
    """Whether a line ends where the byte of a line end is."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def text_pieces(
    stream: pa.NativeFile,
    room: int | None,
    end_of_rows: Callable[[bytes], int],
) -> Iterator[bytes]:
    """A file in pieces of whole rows, at least one.

    Args:
      stream: the file.
      room: bytes that are read together; None for all in one piece.
      end_of_rows: where the last row of a text ends that is whole; 0 where
        there is none.
    """
    text = b""
    while room is not None:
        block = stream.read(room)
        text += block
        if not block:
            break
        end = end_of_rows(text)
        if end:
            yield text[:end]
            text = text[end:]
    yield text + stream.read()
