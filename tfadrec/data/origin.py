"""Where rows come from, so that a run can find them again."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from tfadrec.data.impressions import stretch_of

if TYPE_CHECKING:
    from tfadrec.data.dataset import Dataset


@dataclasses.dataclass(frozen=True)
class Origin:
    """The dataset folder that rows were read from, and which of its rows.

    Args:
      path: the folder.
      whole: all that was read from it.
      rows: uint32 [n], the rows, or a slice where they are one stretch; None
        for all of them.
    """

    path: str
    whole: "Dataset"
    rows: np.ndarray | slice | None = None

    def __len__(self) -> int:
        """The number of rows."""
        if isinstance(self.rows, np.ndarray):
            return len(self.rows)
        stretch = self._stretch()
        return stretch.stop - stretch.start

    @property
    def numbers(self) -> np.ndarray:
        """uint32 [n], the rows."""
        if isinstance(self.rows, np.ndarray):
            return self.rows
        stretch = self._stretch()
        return np.arange(stretch.start, stretch.stop, dtype=np.uint32)

    def select(self, rows: np.ndarray) -> "Origin":
        """That of some of the rows.

        Args:
          rows: an index or a bool mask.
        """
        found = stretch_of(rows, len(self))
        own: np.ndarray | slice
        if isinstance(self.rows, np.ndarray):
            own = self.rows[found]
        # An array of all of many rows would lie in memory.
        elif isinstance(found, slice):
            before = self._stretch().start
            own = slice(before + found.start, before + found.stop)
        else:
            places = np.asarray(found)
            if places.dtype == bool:
                places = np.flatnonzero(places)
            places = self._stretch().start + places % max(1, len(self))
            own = places.astype(np.uint32)
        return dataclasses.replace(self, rows=own)

    def _stretch(self) -> slice:
        """The rows, where they are no array."""
        if isinstance(self.rows, slice):
            return self.rows
        return slice(0, len(self.whole))

    def is_of(self, dataset: "Dataset") -> bool:
        """Whether a dataset still has the ads and the rows of its origin."""
        mine, own = self.whole.impressions, dataset.impressions
        if self.rows is not None:
            mine = mine.take(self.numbers)
        pairs = [
            (self.whole.catalogue.ad_ids, dataset.catalogue.ad_ids),
            (self.whole.user_ids, dataset.user_ids),
            (mine.users, own.users),
            (mine.ads, own.ads),
            (mine.times, own.times),
            *((v, own.labels.get(k, ())) for k, v in mine.labels.items()),
        ]
        return all(np.array_equal(one, other) for one, other in pairs)
