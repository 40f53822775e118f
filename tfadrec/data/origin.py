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
      rows: uint32 [n], the rows; None for all of them.
    """

    path: str
    whole: "Dataset"
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.whole) if self.rows is None else len(self.rows)

    def select(self, rows: np.ndarray) -> "Origin":
        """That of some of the rows.

        Args:
          rows: an index or a bool mask.
        """
        found = stretch_of(rows, len(self))
        if self.rows is not None:
            own = self.rows[found]
        elif isinstance(found, slice):
            own = np.arange(found.start, found.stop, dtype=np.uint32)
        else:
            own = np.arange(len(self.whole), dtype=np.uint32)[found]
        return dataclasses.replace(self, rows=own)

    def is_of(self, dataset: "Dataset") -> bool:
        """Whether a dataset still has the ads and the rows of its origin."""
        mine, own = self.whole.impressions, dataset.impressions
        if self.rows is not None:
            mine = mine.take(self.rows)
        pairs = [
            (self.whole.catalogue.ad_ids, dataset.catalogue.ad_ids),
            (self.whole.user_ids, dataset.user_ids),
            (mine.users, own.users),
            (mine.ads, own.ads),
            (mine.times, own.times),
            *((v, own.labels.get(k, ())) for k, v in mine.labels.items()),
        ]
        return all(np.array_equal(one, other) for one, other in pairs)
