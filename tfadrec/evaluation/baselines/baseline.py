"""What every baseline does."""

import abc
from typing import ClassVar

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.logits import Floats


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

    def _labels(self, train: Dataset) -> tuple[Floats, Floats]:
        """The labels [n], and how many rows each row stands for."""
        labels = train.impressions.labels[self.label].astype(np.float64)
        weights = train.impressions.weights
        if weights is None:
            weights = np.ones(len(labels))
        return labels, weights
