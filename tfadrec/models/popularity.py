"""Popularity: the baseline that needs no model."""

import numpy as np

from tfadrec.core.errors import InputError


class Popularity:
    """Scores an ad by its smoothed click rate in training.

    With n impressions and c clicks of an ad, and the click rate p of all of
    them, the estimate is (c + m p) / (n + m): the mean of a beta posterior
    whose prior is worth m impressions. An ad that was never shown gets p.

    Args:
      prior_impressions: m, > 0.
    """

    def __init__(self, prior_impressions: float = 10.0) -> None:
        if prior_impressions <= 0:
            raise ValueError(
                "`prior_impressions` must be > 0. Received: "
                f"prior_impressions={prior_impressions}."
            )
        self.prior_impressions = prior_impressions

    def fit(self, ads: np.ndarray, clicked: np.ndarray) -> "Popularity":
        """Counts.

        Args:
          ads: int32 [n] catalogue rows.
          clicked: float32 [n] of 0 and 1.

        Raises:
          InputError: where there is no click, or nothing else.
        """
        if not 0 < np.sum(clicked) < len(clicked):
            raise InputError(
                "popularity needs clicks and impressions without one. "
                f"Received: {np.sum(clicked):.0f} clicks in {len(clicked)} "
                "impressions. Give more rows."
            )
        shown = np.bincount(ads)
        clicks = np.bincount(ads, weights=clicked)
        rate = clicked.mean()
        probs = (clicks + self.prior_impressions * rate) / (
            shown + self.prior_impressions
        )
        self._logits = np.log(probs) - np.log1p(-probs)
        self._unseen = np.log(rate) - np.log1p(-rate)
        return self

    def predict(self, batches) -> dict[str, np.ndarray]:
        """Logits of every row of `Dataset.batches`.

        Returns:
          `clicked` -> float32 [n].
        """
        ads = np.concatenate(
            [batch[0]["candidate_ads"].numpy() for batch in batches]
        )
        known = ads < len(self._logits)
        logits = np.full(len(ads), self._unseen)
        logits[known] = self._logits[ads[known]]
        return {"clicked": logits.astype(np.float32)}
