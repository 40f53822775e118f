"""What every baseline does."""

import abc
from typing import ClassVar

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.logits import Floats

#: Rows that are worked on at a time, at some 15 numbers of 8 bytes each. Sums
#: by user are made for each of these parts, so they must not be small.
_AT_ONCE = 1 << 22


class Baseline(abc.ABC):
    """A prediction of one label that is learned in time linear in the rows.

    Args:
      label: the label that is predicted.
      is_binary: whether it is 0 or 1; a real label is an amount.
    """

    #: As it is called in tables.
    name: ClassVar[str]

    def __init__(self, label: str = "clicked", is_binary: bool = True) -> None:
        self.label = label
        self.is_binary = is_binary

    def applies(self, train: Dataset) -> bool:
        """Whether it can be fitted: by default to binary labels of 0 and 1."""
        labels = train.impressions.labels[self.label]
        return self.is_binary and labels.min() < labels.max()

    @abc.abstractmethod
    def fit(self, train: Dataset) -> "Baseline":
        """Learns from rows, and returns itself.

        Args:
          train: rows with the label; weights count.
        """

    @abc.abstractmethod
    def scores(self, dataset: Dataset) -> Floats:
        """Predicts rows over the catalogue and users of `fit`.

        Returns:
          float64 [n]: logits of a binary label, means of a real one.
        """

    def _labels(
        self, train: Dataset, part: slice = slice(None)
    ) -> tuple[Floats, Floats]:
        """The labels [n], and how many rows each row stands for."""
        labels = train.impressions.labels[self.label][part].astype(np.float64)
        weights = train.impressions.weights
        if weights is None:
            return labels, np.ones(len(labels))
        return labels, weights[part]

    def _by_ad(self, train: Dataset) -> tuple[Floats, Floats]:
        """How often each ad was shown, and the sum of its labels, [N + 1].

        Row 0 is that of ads that the catalogue does not have.
        """
        size = len(train.catalogue) + 1
        found = np.zeros([2, size])
        for part in parts_of(train):
            labels, weights = self._labels(train, part)
            ads = train.impressions.ads[part]
            found[0] += np.bincount(ads, weights, size)
            found[1] += np.bincount(ads, weights * labels, size)
        return found[0], found[1]


def parts_of(dataset: Dataset) -> list[slice]:
    """The rows of a dataset, as many at a time as are worked on at once."""
    return [
        slice(begin, begin + _AT_ONCE)
        for begin in range(0, len(dataset), _AT_ONCE)
    ]
