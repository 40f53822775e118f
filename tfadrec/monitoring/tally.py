"""How often the values of one input fell where."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from tfadrec.monitoring.bins import Bins, Floats
from tfadrec.monitoring.observed import Observed


@dataclasses.dataclass(frozen=True)
class Tally:
    """How often the values of one input fell where. Tallies add up.

    Args:
      counts: of the values that are given, by bin, float64 [bins].
      missing: how many values were missing.
      unknown: how many were given, and are not known.
    """

    counts: Floats
    missing: int
    unknown: int

    @classmethod
    def of(cls, bins: Bins, found: Observed) -> "Tally":
        """Of some values.

        Args:
          bins: of the input's reference.
          found: the values.
        """
        return cls(
            bins.counts(found.given),
            int(found.missing.sum()),
            int((found.unknown & ~found.missing).sum()),
        )

    @classmethod
    def of_scores(cls, bins: Bins, scores: NDArray) -> "Tally":
        """Of scores [k], of which none is missing."""
        return cls(bins.counts(scores), 0, 0)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.counts + other.counts,
            self.missing + other.missing,
            self.unknown + other.unknown,
        )

    @property
    def given(self) -> int:
        """How many values a model can read."""
        return int(np.sum(self.counts))

    @property
    def slots(self) -> int:
        """How many values there were, blank ones included."""
        return self.given + self.missing + self.unknown

    @property
    def shares(self) -> dict[str, float]:
        """The shares of `missing` and `unknown` values, of some."""
        return {
            "missing": self.missing / self.slots,
            "unknown": self.unknown / self.slots,
        }
