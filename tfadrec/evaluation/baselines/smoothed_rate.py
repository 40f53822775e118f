"""The click rate of each ad."""

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.baseline import Baseline
from tfadrec.evaluation.baselines.logits import Floats, from_mean


class SmoothedRate(Baseline):
    """Predicts an ad's click rate in training, drawn towards that of all ads.

    With n impressions and c clicks of an ad, and the click rate p of all of
    them, the estimate is (c + m p) / (n + m): the mean of a beta posterior
    whose prior is worth m impressions. An ad that was never shown gets p. Of a
    real label, c is its sum.

    Args:
      label: see `Baseline`.
      is_binary: likewise.
      prior_impressions: m, > 0.
    """

    name = "smoothed rate"

    def __init__(
        self,
        label: str = "clicked",
        is_binary: bool = True,
        prior_impressions: float = 10.0,
    ) -> None:
        super().__init__(label, is_binary)
        if prior_impressions <= 0:
            raise ValueError(
                "`prior_impressions` must be > 0. Received: "
                f"prior_impressions={prior_impressions}."
            )
        self.prior_impressions = prior_impressions

    def applies(self, train: Dataset) -> bool:
        """Always."""
        return True

    def fit(self, train: Dataset) -> "SmoothedRate":
        """Counts."""
        shown, sums = self._by_ad(train)
        rate = sums.sum() / shown.sum()
        prior = self.prior_impressions
        means = (sums + prior * rate) / (shown + prior)
        means[0] = rate  # row 0 is no ad
        self._scores = from_mean(means, self.is_binary)
        return self

    def scores(self, dataset: Dataset) -> Floats:
        """The ads' rates as logits, or means, float64 [n]."""
        return self._scores[dataset.impressions.ads]
