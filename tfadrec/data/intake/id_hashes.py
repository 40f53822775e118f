"""Numbers of ids, which depend on nothing but the id."""

import numpy as np
import pyarrow as pa

_FACTOR = np.uint64(1_000_003)
#: Of the last mixing, as in MurmurHash3's `fmix64`.
_MIXING = np.array([0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53], np.uint64)


def hashes_of(ids: pa.Array, most: int | None = None) -> np.ndarray:
    """A number for each id, equal for equal texts.

    Args:
      ids: texts [n].
      most: how many of the last characters count; None for all of them.

    Returns:
      uint64 [n].
    """
    _, offsets, data = ids.buffers()
    found = np.zeros(len(ids), np.uint64)
    if data is None:
        return found
    ends = np.frombuffer(offsets, np.int32)[ids.offset :][: len(ids) + 1]
    starts, ends = ends[:-1], ends[1:]
    letters = np.frombuffer(data, np.uint8)
    longest = int((ends - starts).max(initial=0))
    for back in range(1, min(longest, most or longest) + 1):
        at = ends - back
        inside = at >= starts
        letter = letters[np.where(inside, at, 0)]
        found = np.where(inside, found * _FACTOR + letter + 1, found)
    return found ^ (found >> np.uint64(32))


def numbers_of(ids: pa.Array, most: int | None = None) -> np.ndarray:
    """Numbers that are spread evenly, equal for equal ids.

    Args:
      ids: texts or whole numbers [n].
      most: as in `hashes_of`.

    Returns:
      uint64 [n].
    """
    if pa.types.is_integer(ids.type):
        return _mixed(ids.to_numpy().astype(np.uint64))
    return _mixed(hashes_of(ids, most))


def draws_of(ids: pa.Array) -> np.ndarray:
    """A number in [0, 1) for each id, float64 [n], as if drawn at random."""
    # As many bits as a float has.
    return (numbers_of(ids) >> np.uint64(11)) * 2.0**-53


def _mixed(bits: np.ndarray) -> np.ndarray:
    for factor in _MIXING:
        bits = (bits ^ (bits >> np.uint64(33))) * factor
    return bits ^ (bits >> np.uint64(33))
