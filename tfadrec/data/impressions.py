"""Ads shown to users, column by column."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfadrec.data.aligned import aligned


@dataclasses.dataclass(frozen=True)
class Impressions:
    """Ads shown to users, one row each, column by column.

    Args:
      requests: int64 [n], the same number for the ads of one request.
      users: int32 [n] user rows, 0 = unknown.
      ads: int32 [n] catalogue rows, 0 = unknown.
      times: int64 [n] UTC seconds.
      labels: name -> float32 [n], 0 and 1 or real.
      columns: the features of the context and of candidates, arrays [n, ...]
        by their tensors' names.
      history_starts: int64 [n], the first event of the history in the log.
      history_ends: int64 [n], one past its last event.
      splits: the published split of each row, [n], or None.
      weights: float64 [n] >= 0, how many rows each row stands for, or None
        where each counts once.
      days: int32 [n] >= 0, the number of the day, of those that were joined
        one after the other, that brought the row; None where nothing was.
    """

    requests: np.ndarray
    users: np.ndarray
    ads: np.ndarray
    times: np.ndarray
    labels: Mapping[str, np.ndarray]
    columns: Mapping[str, np.ndarray]
    history_starts: np.ndarray
    history_ends: np.ndarray
    splits: np.ndarray | None = None
    weights: np.ndarray | None = None
    days: np.ndarray | None = None

    @property
    def history_lengths(self) -> np.ndarray:
        """int64 [n], the number of events before each impression."""
        return self.history_ends - self.history_starts

    @property
    def people(self) -> np.ndarray:
        """int64 [n], who rows are of: user rows, and below 0 the request's.

        Rows of an unknown user are of one with those of his request alone.
        """
        found = -1 - np.asarray(self.requests, np.int64)
        np.copyto(found, self.users, where=self.users > 0)
        return found

    def take(self, rows: np.ndarray) -> "Impressions":
        """The rows that an index or a bool mask names.

        Those of one stretch are views, and so take no memory. Others are a
        copy, which batches need not copy once more.
        """
        found = stretch_of(rows, len(self.ads))
        return Impressions(
            **{
                field.name: _take(getattr(self, field.name), found)
                for field in dataclasses.fields(self)
            }
        )


def stretch_of(rows: np.ndarray, n: int) -> np.ndarray | slice:
    """The slice of n rows that an index or a bool mask names, if there is one.

    Anything else is given back as it is, so that NumPy judges it.
    """
    rows = np.asarray(rows)
    if rows.dtype == bool:
        first, count = int(rows.argmax()) if len(rows) else 0, int(rows.sum())
        is_stretch = len(rows) == n and bool(rows[first:][:count].all())
    else:
        first, count = int(rows[0]) if len(rows) else 0, len(rows)
        is_stretch = 0 <= first <= n - count and bool(
            (rows[1:] == rows[:-1] + 1).all()
        )
    return slice(first, first + count) if is_stretch else rows


def _take(values, rows):
    if values is None:
        return None
    if isinstance(values, Mapping):
        return {name: _take(column, rows) for name, column in values.items()}
    found = values[rows]
    return found if isinstance(rows, slice) else aligned(found)
