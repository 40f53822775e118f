"""How often each ad was clicked."""

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.baseline import Baseline
from tfadrec.evaluation.baselines.calibration import calibration
from tfadrec.evaluation.baselines.logits import Floats


class Popularity(Baseline):
    """Orders ads by their number of clicks c in training.

    The logit is a + b log(1 + c), with a and b >= 0 fitted to the training
    rows. Where more clicks mean less there, b is next to 0: the order is kept,
    and the level is that of a constant.
    """

    name = "popularity"

    def fit(self, train: Dataset) -> "Popularity":
        """Counts, and fits the level."""
        shown, clicks = self._by_ad(train)
        rate = float(clicks.sum() / shown.sum())
        column = np.log1p(clicks)
        column[0] = 0.0  # row 0 is no ad
        # Rows of one ad and one label are as one that stands for them.
        weights = np.append(clicks, np.maximum(shown - clicks, 0.0))
        some = weights > 0
        level, slope = calibration(
            np.tile(column, 2)[some],
            np.repeat([1.0, 0.0], len(column))[some],
            weights[some],
            rate,
        )
        self._scores = level + slope * column
        return self

    def scores(self, dataset: Dataset) -> Floats:
        """Logits, float64 [n]."""
        return self._scores[dataset.impressions.ads]
