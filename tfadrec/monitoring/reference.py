"""What one signal was in training, and how much it varies without drift."""

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from tfadrec.monitoring.bins import Bins, Floats, gaps, psi
from tfadrec.monitoring.observed import Observed

_REPLICATES = 200


@dataclasses.dataclass(frozen=True)
class Reference:
    """The distribution of a signal in training rows.

    How far a window of as many rows may be from it by chance was learned from
    samples of the users of these rows. Spreads are per value: those of n values
    are smaller by n, or by its root.

    Args:
      bins: where values fall.
      counts: of the values that are given, by bin.
      blank: the share of values that are missing or unknown.
      slots: how many values there were, blank ones included.
      psi_mean: of n · PSI without drift.
      psi_shape: of its gamma distribution: squared mean over variance.
      gap_deviation: of root n · the largest difference of both distribution
        functions; 0 where there is none.
      blank_deviation: of root n · the share of blanks.
    """

    bins: Bins
    counts: tuple[float, ...]
    blank: float
    slots: int
    psi_mean: float
    psi_shape: float
    gap_deviation: float
    blank_deviation: float

    @classmethod
    def of(
        cls, found: Observed, users: NDArray, *, is_number: bool, seed: int = 0
    ) -> "Reference | None":
        """Of the values of training rows; None where there are none.

        Args:
          found: the values.
          users: [n], who each row is of.
          is_number: whether the values are numbers.
          seed: of the samples.
        """
        if not len(found.rows):
            return None
        units = np.unique(users, return_inverse=True)[1]
        drawn = np.random.default_rng(seed).poisson(
            1.0, [int(units.max()) + 1, _REPLICATES]
        )
        slots = len(found.rows)
        blank = found.blank.astype(np.int64)
        sampled = _sampled(units[found.rows], blank, 2, drawn)
        shares = sampled[:, 1] / np.maximum(sampled.sum(axis=1), 1)
        bins = Bins()
        if len(found.given):
            make = Bins.of_numbers if is_number else Bins.of_categories
            bins = make(found.given)
        counts = bins.counts(found.given)
        mean, shape, deviation = 0.0, 1.0, 0.0
        if bins.count > 1:
            places = bins.places(found.given)
            of_units = units[found.given_rows]
            sampled = _sampled(of_units, places, bins.count, drawn)
            sampled = sampled[sampled.sum(axis=1) > 0]
            apart = psi(sampled, counts) * counts.sum()
            mean = float(apart.mean())
            shape = mean**2 / float(apart.var()) if apart.var() else 1.0
            deviation = float(gaps(sampled, counts).std(axis=0).max())
        return cls(
            bins,
            tuple(counts.tolist()),
            blank=float(found.blank.mean()),
            slots=slots,
            psi_mean=mean,
            psi_shape=shape,
            gap_deviation=deviation * math.sqrt(counts.sum()),
            blank_deviation=float(shares.std()) * math.sqrt(slots),
        )

    def psi_bound(self, count: int, alpha: float) -> float:
        """What the PSI of `count` values exceeds with probability `alpha`.

        Args:
          count: of the values that are given.
          alpha: in (0, 1).
        """
        rare = stats.gamma.isf(alpha, self.psi_shape)
        return float(
            self.psi_mean / self.psi_shape * rare * self._per_value(count)
        )

    def gap_bound(self, count: int, alpha: float) -> float:
        """The same of the largest difference of distribution functions."""
        rare = stats.norm.isf(alpha / 2 / max(self.bins.count - 1, 1))
        return float(
            self.gap_deviation * rare * math.sqrt(self._per_value(count))
        )

    def blank_bound(self, slots: int, alpha: float) -> float:
        """The same of the share of blank values.

        Args:
          slots: of values, blank ones included.
          alpha: in (0, 1).
        """
        # Where there was none, one more is not yet a sign.
        least = (self.blank * self.slots + 1) / (self.slots + 2)
        deviation = max(self.blank_deviation, math.sqrt(least * (1 - least)))
        per = math.sqrt(1 / slots + 1 / self.slots)
        return self.blank + float(stats.norm.isf(alpha)) * deviation * per

    def _per_value(self, count: int) -> float:
        return 1 / count + 1 / max(sum(self.counts), 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Reference":
        """Reads `to_dict`."""
        bins = {k: tuple(v) for k, v in values["bins"].items()}
        counts = tuple(values["counts"])
        return cls(**{**values, "bins": Bins(**bins), "counts": counts})


def _sampled(
    units: NDArray, places: NDArray, num_places: int, drawn: NDArray
) -> Floats:
    """How many values stand in each place, by sample, [samples, places].

    Args:
      units: [k], in [0, U).
      places: [k], in [0, num_places).
      num_places: how many there are.
      drawn: [U, samples], how often each unit is drawn.
    """
    table = sparse.csr_array(
        (np.ones(len(units)), (places, units)), shape=(num_places, len(drawn))
    )
    return np.asarray(table @ drawn.astype(np.float64)).T
