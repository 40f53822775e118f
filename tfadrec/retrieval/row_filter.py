"""Which rows of a catalogue a request allows, by the values they have."""

from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.growing import append, at_rows, growing

Tensors = Mapping[str, tf.Tensor]


class RowFilter(tf.Module):
    """Allows rows by the codes of their categories.

    Of each column a request names codes that it allows; a row is allowed where
    it has one of them in every column that anything is named of. Code 0 stands
    for an unknown value, which no row has, and -1 for nothing, so that lists of
    codes may be filled up with it.

    Args:
      columns: int32 [N + 1] codes by name, by row; 0 where a value is missing.
    """

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self._columns = {
            name: growing(codes.astype(np.int32))
            for name, codes in columns.items()
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that can be asked for."""
        return tuple(self._columns)

    def put(self, rows: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        """Sets the codes of rows, which may be new ones.

        Args:
          rows: int32 [n].
          columns: int32 [n] by name, of all columns.
        """
        for name, variable in self._columns.items():
            known = variable.numpy()
            more = max(0, int(rows.max(initial=0)) + 1 - len(known))
            known = np.pad(known, (0, more))
            known[rows] = columns[name]
            variable.assign(known)

    def append(self, columns: Tensors) -> None:
        """Sets the codes of new rows behind those that there are.

        Args:
          columns: int32 [n] by name, of all columns.
        """
        for name, variable in self._columns.items():
            append(variable, columns[name])

    def is_set(self, allowed: Tensors) -> tf.Tensor:
        """Whether a request names anything at all.

        Args:
          allowed: int32 [..., A] codes by name.

        Returns:
          bool [...].
        """
        given = [tf.reduce_any(codes >= 0, -1) for codes in allowed.values()]
        return tf.reduce_any(tf.stack(given), axis=0)

    def mask(self, rows: tf.Tensor, allowed: Tensors) -> tf.Tensor:
        """Which rows requests allow.

        Args:
          rows: int32 [n].
          allowed: int32 [B, A] codes by name.

        Returns:
          bool [B, n].
        """
        batch = tf.shape(next(iter(allowed.values())))[0]
        found = tf.fill([batch, tf.size(rows)], True)
        for name, codes in allowed.items():
            own = at_rows(self._columns[name], rows)
            # The codes first: a sum along a short last axis is slow.
            named = own == tf.transpose(codes)[:, :, None]  # [A, B, n]
            is_free = ~tf.reduce_any(codes >= 0, axis=1)
            named = tf.reduce_any(named, axis=0) & (own > 0)
            found &= named | is_free[:, None]
        return found
