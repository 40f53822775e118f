"""Where the user's own events of a log are, and those that were skipped."""

import gc
import weakref
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfadrec.core.scratch_array import scratch_array
from tfadrec.data.aligned import empty
from tfadrec.data.tensors import as_tensor

# Events that are counted from one place: as many as one byte tells apart.
_BLOCK = 1 << 7
# Events that are read at a time, a multiple of them. What finds those of a log
# of more of them is no memory of the process's own.
_AT_ONCE = 1 << 22


class EventKinds:
    """The places of the two kinds of events of a log.

    It is found once for all that read the log at the same time.

    Args:
      types: int32 [E], of the events.
      skipped: the type of those that were skipped.
    """

    _known: ClassVar[weakref.WeakValueDictionary] = (
        weakref.WeakValueDictionary()
    )

    def __init__(self, types: np.ndarray, skipped: int) -> None:
        blocks, before, own, passed = _of_kinds(types, skipped)
        #: One place is one past the last event.
        self.is_mixed = len(passed) > 1
        self._types = types  # and so no other array is where this one is
        self._blocks, self._before = as_tensor(blocks), as_tensor(before)
        self.own, self.skipped = as_tensor(own), as_tensor(passed)

    @classmethod
    def of(cls, types: np.ndarray, skipped: int) -> "EventKinds":
        """Those of a log, which may be known already."""
        key = id(types), skipped
        found = cls._known.get(key)
        if found is None:
            if len(types) > _AT_ONCE:
                # Pipelines that nobody reads are cycles, and hold as much.
                gc.collect()
            found = cls._known[key] = cls(types, skipped)
        return found

    def skipped_before(self, places: tf.Tensor) -> tf.Tensor:
        """How many skipped events come before some places, int64 [B]."""
        blocks = tf.cast(tf.gather(self._blocks, places // _BLOCK), tf.int64)
        return blocks + tf.cast(tf.gather(self._before, places), tf.int64)


def _of_kinds(types: np.ndarray, skipped: int) -> list[np.ndarray]:
    """What finds the events of either kind, in 5 bytes an event.

    Returns:
      How many skipped events come before each block; how many of its block come
      before each place and the last, int8 [E + 1]; the places of those of the
      user's own, and of skipped ones. One past the last event ends both, so
      that there is always something to gather.
    """
    end = len(types)
    dtype = np.int32 if end < 2**31 else np.int64

    def array(count: int, dtype: npt.DTypeLike) -> np.ndarray:
        if end <= _AT_ONCE:
            return empty(count, dtype)
        return scratch_array((count,), dtype)

    blocks, before = array(end // _BLOCK + 1, dtype), array(end + 1, np.int8)
    count = 0
    for begin in range(0, end + 1, _AT_ONCE):
        is_skipped = types[begin : begin + _AT_ONCE] == skipped
        here = before[begin : begin + _AT_ONCE]
        of_blocks = np.zeros((-(-len(here) // _BLOCK), _BLOCK), np.int8)
        of_blocks.ravel()[: len(is_skipped)] = is_skipped
        sums = of_blocks.sum(axis=1, dtype=dtype)
        blocks[begin // _BLOCK :][: len(sums)] = count + np.cumsum(sums) - sums
        count += int(sums.sum())
        # What comes before each: all but the last move on by one.
        np.cumsum(of_blocks[:, :-1], axis=1, out=of_blocks[:, 1:])
        of_blocks[:, 0] = 0
        here[:] = of_blocks.ravel()[: len(here)]
    own, passed = array(end - count + 1, dtype), array(count + 1, dtype)
    own[-1] = passed[-1] = end
    count = 0
    for begin in range(0, end, _AT_ONCE):
        is_skipped = types[begin : begin + _AT_ONCE] == skipped
        of_part = np.flatnonzero(is_skipped)
        passed[count : count + len(of_part)] = begin + of_part
        own[begin - count :][: len(is_skipped) - len(of_part)] = (
            begin + np.flatnonzero(~is_skipped)
        )
        count += len(of_part)
    return [blocks, before, own, passed]
