"""The same prediction for everyone."""

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.baseline import Baseline
from tfadrec.evaluation.baselines.logits import Floats, from_mean


class Constant(Baseline):
    """Predicts the label's mean over the training rows, whatever is shown."""

    name = "constant"

    def applies(self, train: Dataset) -> bool:
        """Always."""
        return True

    def fit(self, train: Dataset) -> "Constant":
        """Takes the mean."""
        shown, sums = self._by_ad(train)
        self.mean = float(sums.sum() / shown.sum())
        return self

    def scores(self, dataset: Dataset) -> Floats:
        """The mean, or its logit, float64 [n]."""
        return np.full(len(dataset), from_mean(self.mean, self.is_binary))
