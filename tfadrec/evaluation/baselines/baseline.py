"""What every baseline does."""

import abc
from typing import ClassVar

import numpy as np

from tfadrec.core.blocks import blocks
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.logits import Floats

#: Rows at most that numbers are fitted to.
_MOST_FITTED = 1 << 21


class Baseline(abc.ABC):
    """A prediction of one label that is learned in time linear in the rows.

    Counts are of all training rows. What takes many passes is fitted to two
    million of them at most.

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

    def _labels(self, rows: Dataset) -> tuple[Floats, Floats]:
        """The labels [n], and how many rows each row stands for."""
        labels = rows.impressions.labels[self.label].astype(np.float64)
        weights = rows.impressions.weights
        if weights is None:
            weights = np.ones(len(labels))
        return labels, weights

    def _counts(self, train: Dataset) -> tuple[Floats, Floats]:
        """The sum of each ad's labels, and of its weights, float64 [N + 1]."""
        size = len(train.catalogue) + 1
        clicks, shown = np.zeros(size), np.zeros(size)
        rows = train.impressions
        for part in blocks(len(train)):
            weights = None if rows.weights is None else rows.weights[part]
            labels = rows.labels[self.label][part].astype(np.float64)
            if weights is not None:
                labels *= weights
            clicks += np.bincount(rows.ads[part], labels, size)
            shown += np.bincount(rows.ads[part], weights, size)
        return clicks, shown

    def _mean(self, train: Dataset) -> float:
        """The label's mean over the rows."""
        clicks, shown = self._counts(train)
        return float(clicks.sum() / shown.sum())


def some_of(train: Dataset) -> Dataset:
    """The rows that numbers are fitted to: of many, some evenly out of all."""
    if len(train) <= _MOST_FITTED:
        return train
    return train.select(np.arange(_MOST_FITTED) * len(train) // _MOST_FITTED)
