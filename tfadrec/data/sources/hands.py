"""Purchases in hands, in which their ads are dealt as negatives."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tfadrec.data.features.value_counts import value_counts
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.periods import calendar

#: Places for negatives in a hand, about; up to twice as many are in memory. It
#: has a part in what is drawn, so it is no matter of the machine.
PLACES = 1 << 21
#: More than there are splits.
_SPLITS = 4
#: An odd number with bits all over.
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Hands:
    """Purchases by their groups, which are the splits of calendar periods.

    A hand holds groups as a whole. A group with more places than a hand has is
    cut into several hands, by requests as if drawn at random.

    Args:
      bought: request, ad, time and split of purchases, all int64; a batch for
        each range of requests.
      period: see `calendar`.
      num_ads: ads are below this number.
      negatives_per_positive: places of each purchase.
      workspace: where files are made.
    """

    def __init__(
        self,
        bought: SpilledTable,
        period: str,
        num_ads: int,
        negatives_per_positive: int,
        workspace: Workspace,
    ) -> None:
        self._period = period
        columns = ["time", "split"]
        keys, counts = value_counts(
            pa.array(self._keys(batch)) for batch in bought.batches(columns)
        )
        order = np.argsort(keys.to_numpy())
        self._groups = keys.to_numpy()[order]
        places = counts.to_numpy()[order] * negatives_per_positive
        self._first, self._cuts = _hands_of(places)
        #: Of each group that is cut, whether an ad was bought in it.
        self._ads = {
            group: np.zeros(num_ads, bool)
            for group in np.flatnonzero(self._cuts > 1).tolist()
        }
        self._parts = Parts(
            ((batch, self._hands(batch)) for batch in bought.batches()),
            int((self._first + self._cuts).max(initial=1)),
            workspace,
        )

    def __iter__(self) -> Iterator[tuple[pa.Table, np.ndarray, np.ndarray]]:
        """The hands, one after another.

        Yields:
          The purchases, sorted by group; int64 [n], the group of each, from 0
          on; and int64, the ads of a group that is cut, else none.
        """
        for number in range(self._parts.count):
            table = self._parts.part(number)
            groups = self._group_of(table)
            order = np.argsort(groups, kind="stable")
            found, places = np.unique(groups[order], return_inverse=True)
            ads = np.zeros(0, np.int64)
            if len(found) == 1 and int(found[0]) in self._ads:
                ads = np.flatnonzero(self._ads[int(found[0])])
            yield table.take(pa.array(order)), places.astype(np.int64), ads

    def _keys(self, table: pa.Table) -> np.ndarray:
        """int64 [n], by which groups are sorted: by period, then by split."""
        periods = calendar(array_of(table, "time"), self._period)
        return periods * _SPLITS + array_of(table, "split")

    def _group_of(self, table: pa.Table) -> np.ndarray:
        return np.searchsorted(self._groups, self._keys(table))

    def _hands(self, table: pa.Table) -> np.ndarray:
        """The hand of each purchase."""
        groups = self._group_of(table)
        ads = array_of(table, "ad")
        for group, is_bought in self._ads.items():
            is_bought[ads[groups == group]] = True
        requests = array_of(table, "request").astype(np.uint64)
        drawn = (requests * _FACTOR) >> np.uint64(32)
        cuts = self._cuts[groups]
        return self._first[groups] + (drawn % cuts.astype(np.uint64)).astype(
            np.int64
        )


def _hands_of(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first hand of each group, and how many it has.

    Args:
      places: int64 [G], of each group.

    Returns:
      int64 [G] twice; small groups share a hand with those beside them.
    """
    cuts = np.maximum(1, -(-places // PLACES))
    block = (np.cumsum(places) - places) // PLACES
    is_cut = cuts > 1
    begins = np.ones(len(places), bool)
    begins[1:] = (block[1:] > block[:-1]) | is_cut[1:] | is_cut[:-1]
    sizes = np.where(begins, cuts, 0)
    return np.cumsum(sizes) - cuts, cuts
