"""The bytes of a new file as pieces of an old one, and bytes of its own."""

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np

#: Of a chunk; half a kilobyte holds eight rows of 16 floats, so that most
#: chunks are whole where a tenth of the rows was touched.
_LEAST, _MOST = 256, 1 << 14
_CUT = np.uint64(64 - 8)  # one place in 256 may end a chunk
_ODD = np.uint64(0x9E3779B97F4A7C15)
_WORD = 8
#: Bytes that are looked at together.
_WINDOW = 1 << 22
#: Equal bytes between two changes that are worth a piece, which takes 24.
_WORTH = 32


def find_pieces(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """How a new file is put together.

    Both files are cut where the eight bytes before say so, so that what was
    moved is cut as it was before. A chunk of the new file is looked for where
    the one before it was found, then anywhere in the old one, and else it is
    taken for a changed one at the place of the one before. In the end all bytes
    are compared at these places.

    Args:
      old: bytes, uint8 [m].
      new: bytes, uint8 [n].

    Returns:
      Pieces, int64 [p, 3]: where to begin in the old file, how many bytes to
      copy from there, and how many to take then from the new file's own.
    """
    parts = [
        _compared(old, new, begin, end, shift)
        for begin, end, shift in _moves(old, new)
    ]
    return np.concatenate([np.zeros((0, 3), np.int64), *parts])


def own_bytes(new: np.ndarray, pieces: np.ndarray) -> Iterator[np.ndarray]:
    """The bytes that the pieces do not copy, one part after another."""
    place = 0
    for _, copied, own in pieces.tolist():
        place += copied
        yield new[place : place + own]
        place += own


def _moves(old: np.ndarray, new: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Stretches of the new file, and how much further down they were."""
    known = _Chunks(old)
    begin = shift = place = 0
    for end in _ends(new):
        chunk = new[place:end]
        if not _stands(old, place + shift, chunk):
            found = known.find(chunk)
            if found is not None and found - place != shift:
                if begin < place:
                    yield begin, place, shift
                begin, shift = place, found - place
        place = end
    if begin < place:
        yield begin, place, shift


def _stands(old: np.ndarray, place: int, chunk: np.ndarray) -> bool:
    """Whether the old file has those bytes there."""
    return place >= 0 and np.array_equal(old[place : place + len(chunk)], chunk)


class _Chunks:
    """Where the chunks of a file begin, by their content."""

    def __init__(self, data: np.ndarray) -> None:
        ends = _ends(data)
        digests = b"".join(
            _digest(data[begin:end])
            for begin, end in itertools.pairwise([0, *ends])
        )
        keys = np.frombuffer(digests, "<u8")
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._begins = np.array([0, *ends[:-1]], np.int64)[order]

    def find(self, chunk: np.ndarray) -> int | None:
        """The first place of an equal chunk, where there may be one."""
        key = np.frombuffer(_digest(chunk), "<u8")
        place = int(np.searchsorted(self._keys, key)[0])
        if place == len(self._keys) or self._keys[place] != key[0]:
            return None
        return int(self._begins[place])


def _digest(chunk: np.ndarray) -> bytes:
    return hashlib.blake2b(chunk.data, digest_size=_WORD).digest()


def _ends(data: np.ndarray) -> list[int]:
    """Where the chunks of a file end, by its content."""
    ends: list[int] = []
    last = 0
    for begin in range(0, len(data), _WINDOW):
        for end in _cuts(data[begin : begin + _WINDOW + _WORD - 1]):
            place = begin + end
            while place - last > _MOST:
                last += _MOST
                ends.append(last)
            if place - last >= _LEAST:
                last = place
                ends.append(last)
    while len(data) - last > _MOST:
        last += _MOST
        ends.append(last)
    return [*ends, len(data)] if last < len(data) else ends


def _cuts(part: np.ndarray) -> list[int]:
    """The places after eight bytes that end a chunk, in order."""
    found = []
    for first in range(min(_WORD, len(part))):
        size = (len(part) - first) // _WORD * _WORD
        words = part[first : first + size].view("<u8")
        places = np.flatnonzero((words * _ODD) >> _CUT == 0)
        found.append(first + _WORD * (places + 1))
    return np.sort(np.concatenate(found)).tolist()


def _compared(
    old: np.ndarray, new: np.ndarray, begin: int, end: int, shift: int
) -> np.ndarray:
    """The pieces of a stretch, int64 [p, 3]."""
    first, last = max(begin, -shift), min(end, len(old) - shift)
    if first >= last:
        return np.array([[0, 0, end - begin]])
    parts = [np.array([[0, 0, first - begin]])] if begin < first else []
    for place in range(first, last, _WINDOW):
        stop = min(place + _WINDOW, last)
        changed = np.flatnonzero(
            new[place:stop] != old[place + shift : stop + shift]
        )
        # Changes that are near each other are one.
        before = np.diff(changed, prepend=-_WORTH - 1)
        after = np.diff(changed, append=stop - place + _WORTH + 1)
        begins, ends = changed[before > _WORTH], 1 + changed[after > _WORTH]
        edges = np.concatenate([[0], ends])
        copied = np.concatenate([begins, [stop - place]]) - edges
        own = np.concatenate([ends - begins, [0]])
        parts.append(np.stack([place + shift + edges, copied, own], axis=1))
    if last < end:
        parts.append(np.array([[0, 0, end - last]]))
    return np.concatenate(parts)
