"""Fingerprint64 of texts, as TensorFlow hashes them, without TensorFlow.

The function is `Fingerprint64` of FarmHash (Geoff Pike, Google, 2014, MIT
licence), that is `Hash64` of its `farmhashna`; `tf.strings.to_hash_bucket_fast`
is its remainder. It has a formula for each class of lengths. Numbers are
unsigned, of 64 bits, and wrap around; texts are read as little-endian words.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

_K0 = np.uint64(0xC3A5C85C97CB3127)
_K1 = np.uint64(0xB492B66FBE98F273)
_K2 = np.uint64(0x9AE16A3B2F90404F)
_WORD = 8
_BLOCK = 64


def fingerprints(texts: pa.Array) -> np.ndarray:
    """The fingerprint of each text.

    Args:
      texts: [n] strings or bytes, none of them null.

    Returns:
      uint64 [n].
    """
    texts = texts.cast(pa.large_binary())
    if not len(texts):
        return np.zeros(0, np.uint64)
    _, places, data = texts.buffers()
    bounds = np.frombuffer(places, np.int64)[texts.offset :][: len(texts) + 1]
    reader = _Reader(data)
    starts, lengths = bounds[:-1], np.diff(bounds)
    found = np.full(len(texts), _K2)
    for least, most, formula in _FORMULAS:
        rows = np.flatnonzero((lengths >= least) & (lengths <= most))
        if len(rows):
            found[rows] = formula(reader, starts[rows], lengths[rows])
    return found


class _Reader:
    """Words at any byte of the texts.

    Args:
      data: all texts, one after another.
    """

    def __init__(self, data: pa.Buffer | None) -> None:
        size = 0 if data is None else data.size
        self._bytes = np.zeros(size + _WORD, np.uint8)
        if data is not None:
            self._bytes[:size] = np.frombuffer(data, np.uint8)
        self._words = np.ndarray(
            (size + 1,), "<u8", self._bytes.data, strides=(1,)
        )

    def byte(self, at: np.ndarray) -> np.ndarray:
        """uint64 [n]."""
        return self._bytes[at].astype(np.uint64)

    def half(self, at: np.ndarray) -> np.ndarray:
        """Four bytes each, uint64 [n]."""
        return self._words[at] & np.uint64(0xFFFFFFFF)

    def word(self, at: np.ndarray) -> np.ndarray:
        """Eight bytes each, uint64 [n]."""
        return self._words[at]


_Formula = Callable[[_Reader, np.ndarray, np.ndarray], np.ndarray]


def _rotated(values: np.ndarray, bits: int) -> np.ndarray:
    """To the right."""
    right, left = np.uint64(bits), np.uint64(64 - bits)
    return (values >> right) | (values << left)


def _shift_mixed(values: np.ndarray) -> np.ndarray:
    return values ^ (values >> np.uint64(47))


def _mixed(u: np.ndarray, v: np.ndarray, factor: np.ndarray) -> np.ndarray:
    a = _shift_mixed((u ^ v) * factor)
    return _shift_mixed((v ^ a) * factor) * factor


def _factor(lengths: np.ndarray) -> np.ndarray:
    return _K2 + lengths.astype(np.uint64) * np.uint64(2)


def _to_3(read: _Reader, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    first, middle = read.byte(start), read.byte(start + (length >> 1))
    y = first + (middle << np.uint64(8))
    last = read.byte(start + length - 1)
    z = length.astype(np.uint64) + (last << np.uint64(2))
    return _shift_mixed((y * _K2) ^ (z * _K0)) * _K2


def _to_7(read: _Reader, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    first = read.half(start) << np.uint64(3)
    last = read.half(start + length - 4)
    return _mixed(length.astype(np.uint64) + first, last, _factor(length))


def _to_16(read: _Reader, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    factor = _factor(length)
    a = read.word(start) + _K2
    b = read.word(start + length - 8)
    c = _rotated(b, 37) * factor + a
    d = (_rotated(a, 25) + b) * factor
    return _mixed(c, d, factor)


def _ends(
    read: _Reader, start: np.ndarray, length: np.ndarray, times: np.uint64
) -> tuple[np.ndarray, ...]:
    """What the formulas of up to 32 and of up to 64 bytes begin with."""
    factor = _factor(length)
    a = read.word(start) * times
    b = read.word(start + 8)
    c = read.word(start + length - 8) * factor
    d = read.word(start + length - 16) * _K2
    y = _rotated(a + b, 43) + _rotated(c, 30) + d
    return factor, a, y, _mixed(y, a + _rotated(b + _K2, 18) + c, factor)


def _to_32(read: _Reader, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    return _ends(read, start, length, _K1)[-1]


def _to_64(read: _Reader, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    factor, a, y, z = _ends(read, start, length, _K2)
    e = read.word(start + 16) * factor
    f = read.word(start + 24)
    g = (y + read.word(start + length - 32)) * factor
    h = (z + read.word(start + length - 24)) * factor
    return _mixed(
        _rotated(e + f, 43) + _rotated(g, 30) + h,
        e + _rotated(f + a, 18) + g,
        factor,
    )


def _longer(read: _Reader, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    order = np.argsort(length)
    found = np.empty(len(order), np.uint64)
    found[order] = _by_blocks(read, start[order], length[order])
    return found


def _by_blocks(
    read: _Reader, start: np.ndarray, length: np.ndarray
) -> np.ndarray:
    """Of texts longer than a block, in the order of their lengths."""
    state = np.zeros((7, len(start)), np.uint64)
    state[:3] = np.array(_BEGINNING, np.uint64)[:, None]
    state[0] += read.word(start)
    blocks = (length - 1) // _BLOCK
    one, nine = np.uint64(1), np.uint64(9)
    for block in range(blocks[-1]):
        # Those that have this block stand at the end.
        some = slice(np.searchsorted(blocks, block, side="right"), None)
        at = start[some] + block * _BLOCK
        state[:, some] = _with_block(read, at, state[:, some], _K1, one)
    factor = _K1 + ((state[2] & np.uint64(0xFF)) << np.uint64(1))
    state[5] += ((length - 1) % _BLOCK).astype(np.uint64)
    state[3] += state[5]
    state[5] += state[3]
    at = start + length - _BLOCK
    x, y, z, *sums = _with_block(read, at, state, factor, nine)
    return _mixed(
        _mixed(sums[0], sums[2], factor) + _shift_mixed(y) * _K0 + z,
        _mixed(sums[1], sums[3], factor) + x,
        factor,
    )


def _with_block(
    read: _Reader,
    at: np.ndarray,
    state: np.ndarray,
    factor: np.ndarray | np.uint64,
    weight: np.uint64,
) -> tuple[np.ndarray, ...]:
    """The state [7, n] after 64 more bytes: x, y, z and two pairs of sums."""
    x, y, z, v1, v2, w1, w2 = state
    x = _rotated(x + y + v1 + read.word(at + 8), 37) * factor
    y = _rotated(y + v2 + read.word(at + 48), 42) * factor
    x ^= w2 * weight
    y += v1 * weight + read.word(at + 40)
    z = _rotated(z + w1, 33) * factor
    v = _summed(read, at, v2 * factor, x + w1)
    w = _summed(read, at + 32, z + w2, y + read.word(at + 16))
    return z, y, x, *v, *w


def _summed(
    read: _Reader, at: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A weak hash of 32 bytes with two seeds."""
    first, last = a + read.word(at), read.word(at + 24)
    total = first + read.word(at + 8) + read.word(at + 16)
    b = _rotated(b + first + last, 21) + _rotated(total, 44) + first
    return total + last, b


def _beginning() -> tuple[int, int, int]:
    """The first three of a state before any block, x without the first word."""
    k1, k2, size = int(_K1), int(_K2), 2**64
    y = (81 * k1 + 113) % size
    z = (y * k2 + 113) % size
    return 81 * k2 % size, y, (z ^ (z >> 47)) * k2 % size


_BEGINNING = _beginning()
#: Shortest and longest text in bytes, and the formula; that of an empty text
#: is a constant.
_FORMULAS: tuple[tuple[int, float, _Formula], ...] = (
    (1, 3, _to_3),
    (4, 7, _to_7),
    (8, 16, _to_16),
    (17, 32, _to_32),
    (33, 64, _to_64),
    (65, np.inf, _longer),
)
