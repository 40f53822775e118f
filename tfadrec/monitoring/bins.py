"""Distributions as shares of bins, and how far two of them are apart."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Of numbers, by quantiles.
_BINS = 20
#: A category of less than that is one of the rest.
_LEAST_SHARE = 0.01
#: A count that every bin is given, so that none is empty.
_ADDED = 0.5


@dataclasses.dataclass(frozen=True)
class Bins:
    """Where values fall: bins of numbers, or categories and the rest.

    Args:
      edges: of numbers, rising: value x falls into the first bin whose edge is
        >= x, or the last one, which is open.
      codes: of categories, those with a bin of their own; the last bin is the
        rest.
    """

    edges: tuple[float, ...] = ()
    codes: tuple[int, ...] = ()

    @classmethod
    def of_numbers(cls, values: NDArray) -> "Bins":
        """Up to 20 bins of equally many of some numbers."""
        shares = np.arange(1, _BINS) / _BINS
        edges = np.unique(np.quantile(values, shares, method="inverted_cdf"))
        # Beyond the largest there is nothing yet: what comes is new.
        return cls(edges=tuple(edges.tolist()))

    @classmethod
    def of_categories(cls, codes: NDArray) -> "Bins":
        """A bin for each value that is one in a hundred, and the rest."""
        found, counts = np.unique(codes, return_counts=True)
        often = counts >= _LEAST_SHARE * len(codes)
        return cls(codes=tuple(found[often].tolist()))

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.edges or self.codes) + 1

    def places(self, values: NDArray) -> NDArray[np.int64]:
        """The bin of each value, [k]."""
        if self.edges:
            return np.searchsorted(self.edges, values, side="left")
        codes = np.asarray(self.codes, np.int64)
        at = np.searchsorted(codes, values)
        inside = np.minimum(at, max(len(codes) - 1, 0))
        is_there = codes[inside] == values if len(codes) else at < 0
        return np.where(is_there, inside, len(codes))

    def counts(self, values: NDArray) -> Floats:
        """How many of some values fall into each bin, float64 [count]."""
        found = np.bincount(self.places(values), minlength=self.count)
        return found.astype(np.float64)


def psi(counts: Floats, reference: Floats) -> Floats:
    """The population stability index, sum over bins of (p - q) log(p / q).

    p are the shares of `counts` and q those of `reference`, both with a half
    added to every count. It is the symmetric Kullback-Leibler divergence
    (Jeffreys) of the two.

    Args:
      counts: [..., B].
      reference: [B].
    """
    p, q = _shares(counts), _shares(reference)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def gaps(counts: Floats, reference: Floats) -> Floats:
    """Differences of the two distribution functions at the bins' ends.

    The largest in absolute value is Kolmogorov's and Smirnov's statistic, as
    far as bins can tell.

    Args:
      counts: [..., B], some > 0.
      reference: [B].

    Returns:
      [..., B - 1].
    """
    above = counts.cumsum(axis=-1) / counts.sum(axis=-1, keepdims=True)
    return (above - reference.cumsum() / reference.sum())[..., :-1]


def _shares(counts: Floats) -> Floats:
    added = counts + _ADDED
    return added / added.sum(axis=-1, keepdims=True)
