"""GGUF files, in which language models are kept with few bits a number.

The format is that of llama.cpp. Of its types of tensors those are read that
published models of few bits use: F32, F16, Q8_0 and Q4_1.
"""

import dataclasses
import math
import pathlib
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT = 32
#: Of values beside the tensors, by their number.
_PLAIN = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
#: Numbers that share a scale.
_GROUP = 32


def _float32(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    return blocks["w"]


def _float16(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    return blocks["w"].astype(np.float32)


def _eight_bits(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """The numbers d q, with q in -128 to 127."""
    scale = blocks["d"].astype(np.float32)[:, np.newaxis]
    return scale * blocks["q"].astype(np.float32)


def _four_bits(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """The numbers d q + m, with q in 0 to 15, first the bytes' low halves."""
    scale, least = (
        blocks[name].astype(np.float32)[:, np.newaxis] for name in "dm"
    )
    q = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1)
    return scale * q.astype(np.float32) + least


#: Types of tensors by their number: how many numbers a block holds, what it is
#: made of, and how it is read.
_TENSORS: Mapping[int, tuple[int, np.dtype, Callable]] = {
    0: (1, np.dtype([("w", "<f4")]), _float32),
    1: (1, np.dtype([("w", "<f2")]), _float16),
    3: (
        _GROUP,
        np.dtype([("d", "<f2"), ("m", "<f2"), ("q", "u1", _GROUP // 2)]),
        _four_bits,
    ),
    8: (_GROUP, np.dtype([("d", "<f2"), ("q", "i1", _GROUP)]), _eight_bits),
}


@dataclasses.dataclass(frozen=True)
class Gguf:
    """What stands before the tensors of a GGUF file, and where those are.

    Args:
      path: of the file.
      told: the model's settings and its vocabulary, by their names.
      places: name -> shape, type and first byte of each tensor.
    """

    path: pathlib.Path
    told: Mapping[str, Any]
    places: Mapping[str, tuple[tuple[int, ...], int, int]]

    @classmethod
    def of(cls, path: pathlib.Path) -> "Gguf":
        """Reads the head of a file.

        Raises:
          InputError: where it is no such file, or is cut short.
        """
        try:
            with path.open("rb") as file:
                return cls(path, *_head(file))
        except (OSError, ValueError, KeyError, struct.error) as error:
            raise InputError(
                "a model must be a whole GGUF file of version 2 or 3. "
                f"Received: {path}: {' '.join(repr(error).split())[:200]}. "
                "Fetch the model again."
            ) from error

    def tensors(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Each tensor's name and its numbers.

        Raises:
          InputError: for a type that is not read, and a file cut short.
        """
        for name, (shape, kind, begin) in self.places.items():
            if kind not in _TENSORS:
                raise InputError(
                    "a GGUF file's tensors must be of the types "
                    f"{', '.join(map(str, _TENSORS))}. Received: {name} of "
                    f"type {kind} in {self.path}. Use another file."
                )
            per_block, block, read = _TENSORS[kind]
            count, rest = divmod(math.prod(shape), per_block)
            blocks = np.fromfile(self.path, block, count, offset=begin)
            if rest or len(blocks) < count:
                raise InputError(
                    "a GGUF file must hold every number of its tensors. "
                    f"Received: {name} of {self.path}, which is cut short. "
                    "Fetch the model again."
                )
            yield name, read(blocks).reshape(shape)


def _head(file: BinaryIO) -> tuple[dict, dict]:
    """The settings, and the places of the tensors."""
    if file.read(4) != _MAGIC:
        raise ValueError("it does not begin as one")
    version, num_tensors, num_settings = _numbers(file, "IQQ")
    if version not in _VERSIONS:
        raise ValueError(f"it is of version {version}")
    told = {}
    for _ in range(num_settings):
        name = _text(file)
        told[name] = _value(file, _number(file, "I"))
    places = {}
    for _ in range(num_tensors):
        name = _text(file)
        sizes = _numbers(file, "Q" * _number(file, "I"))
        # The first size is that of neighbours, NumPy's last.
        places[name] = (sizes[::-1], *_numbers(file, "IQ"))
    alignment = told.get("general.alignment", _ALIGNMENT)
    start = -(-file.tell() // alignment) * alignment
    return told, {
        name: (shape, kind, start + begin)
        for name, (shape, kind, begin) in places.items()
    }


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _TEXT:
        return _text(file)
    if kind == _LIST:
        inner, count = _numbers(file, "IQ")
        return [_value(file, inner) for _ in range(count)]
    return _number(file, _PLAIN[kind])


def _text(file: BinaryIO) -> str:
    length = _number(file, "Q")
    found = file.read(length)
    if len(found) < length:
        raise ValueError("it ends within a text")
    return found.decode()


def _number(file: BinaryIO, code: str) -> Any:
    return _numbers(file, code)[0]


def _numbers(file: BinaryIO, codes: str) -> tuple:
    packed = f"<{codes}"
    return struct.unpack(packed, file.read(struct.calcsize(packed)))
