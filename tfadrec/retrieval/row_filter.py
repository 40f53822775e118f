"""Which rows of a catalogue a request allows, by what is known of them."""

import functools
from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.growing import at_rows, growing, put

Tensors = Mapping[str, tf.Tensor]
#: The moment until which a row is open that never expires.
FOREVER = np.int64(np.iinfo(np.int64).max)
#: That of a row that was closed: no row expires as early.
_CLOSED = np.int64(np.iinfo(np.int64).min)


class RowFilter(tf.Module):
    """Allows rows by the codes of their categories, and until a moment.

    Of each column a request names codes that it allows; a row is allowed where
    it has one of them in every column that anything is named of. Code 0 stands
    for an unknown value, which no row has, and -1 for nothing, so that lists of
    codes may be filled up with it.

    A row is open before its moment, and one that was closed never is. Codes
    tell which rows are to be read; whether a row is open is asked of those that
    are read, so nothing is read more because some have expired.

    Args:
      columns: int32 [N + 1] codes by name, by row; 0 where a value is missing.
      until: int64 [N + 1], seconds since 1970 from which a row is not open any
        more, or `FOREVER`. Row 0, the unknown one, never is.
    """

    def __init__(
        self, columns: Mapping[str, np.ndarray], until: np.ndarray
    ) -> None:
        super().__init__()
        self._columns = {
            name: growing(codes.astype(np.int32))
            for name, codes in columns.items()
        }
        self._until = growing(np.append(_CLOSED, until[1:]))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that can be asked for."""
        return tuple(self._columns)

    def put(self, rows: tf.Tensor, columns: Tensors, until: tf.Tensor) -> None:
        """Sets what is known of rows, which may be new ones.

        Args:
          rows: int32 [n].
          columns: int32 [n] by name, of all columns.
          until: int64 [n].
        """
        for name, table in self._columns.items():
            put(table, rows, columns[name])
        put(self._until, rows, until)

    def close(self, rows: tf.Tensor) -> None:
        """Has rows int32 [n] open no more, until they are put again."""
        put(self._until, rows, tf.fill(tf.shape(rows), _CLOSED))

    def is_closed(self, rows: tf.Tensor) -> tf.Tensor:
        """Which rows [...] were closed, or are the unknown one, bool."""
        return at_rows(self._until, rows) == _CLOSED

    def is_open(self, rows: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
        """Whether rows are open.

        Args:
          rows: int32 [n] or [B, n].
          now: int64 [B], seconds since 1970.

        Returns:
          bool [B, n].
        """
        return at_rows(self._until, rows) > now[:, None]

    def is_set(self, allowed: Tensors) -> tf.Tensor:
        """Whether a request names any code at all.

        Args:
          allowed: int32 [..., A] codes by name.

        Returns:
          bool [...].
        """
        given = [tf.reduce_any(codes >= 0, -1) for codes in allowed.values()]
        return tf.reduce_any(tf.stack(given), axis=0)

    def mask(self, rows: tf.Tensor, allowed: Tensors) -> tf.Tensor:
        """Which rows requests allow by codes.

        Args:
          rows: int32 [n].
          allowed: int32 [B, A] codes by name.

        Returns:
          bool [B, n].
        """
        own = {name: at_rows(self._columns[name], rows) for name in allowed}
        return _mask(own, allowed)

    def mask_first(self, count: tf.Tensor, allowed: Tensors) -> tf.Tensor:
        """The same of the first rows, bool [B, count].

        They are read as they lie in memory, which takes a tenth of the time.
        """
        own = {n: self._columns[n].read_value()[:count] for n in allowed}
        return _mask(own, allowed)


def _mask(own: Tensors, allowed: Tensors) -> tf.Tensor:
    """See `RowFilter.mask`; `own` are the rows' codes [n]."""
    masks = []
    for name, codes in allowed.items():
        # The codes first: a sum along a short last axis is slow.
        named = own[name] == tf.transpose(codes)[:, :, None]  # [A, B, n]
        is_free = ~tf.reduce_any(codes >= 0, axis=1)
        named = tf.reduce_any(named, axis=0) & (own[name] > 0)
        masks.append(named | is_free[:, None])
    return functools.reduce(tf.logical_and, masks)
