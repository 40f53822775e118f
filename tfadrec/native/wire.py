"""Protocol buffers in their wire format, and the files that hold them.

TensorFlow's own message classes come with all of TensorFlow, which a process
that stands for a server must not import. A handful of fields is read here.
"""

import pathlib
import struct
from collections.abc import Iterator
from typing import Any

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}


def records(file: pathlib.Path) -> Iterator[bytes]:
    """The records of a TFRecord file; their checksums are not looked at."""
    data = file.read_bytes()
    place = 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        place += 12  # the length and its checksum
        yield data[place : place + length]
        place += length + 4


def fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """The fields of a message, as they come.

    Args:
      message: its bytes.

    Yields:
      A field's number, and its value: a whole number, or the bytes of a text, a
      message, a packed list or a number with a fraction.
    """
    place = 0
    while place < len(message):
        key, place = varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = varint(message, place)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = varint(message, place)
        else:
            length = _SIZES[kind]
        yield number, message[place : place + length]
        place += length


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """A whole number that begins at a place, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, place


def varints(message: memoryview) -> list[int]:
    """The whole numbers of a packed list."""
    found, place = [], 0
    while place < len(message):
        value, place = varint(message, place)
        found.append(value)
    return found


def entry(message: memoryview) -> tuple[str, Any]:
    """Key and value of an entry of a map from texts to messages."""
    pair = dict(fields(message))
    return bytes(pair[1]).decode(), pair[2]
