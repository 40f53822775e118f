"""How like the ad is to what the user has seen."""

import numpy as np
from numpy.typing import NDArray

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.baseline import Baseline
from tfadrec.evaluation.baselines.calibration import calibration
from tfadrec.evaluation.baselines.logits import Floats, from_mean

#: Events that are looked at, the newest; more cost time and change little.
_MOST_EVENTS = 20
#: Training rows that the level is fitted to, the last ones.
_MOST_ROWS = 50_000
#: Rows at a time: some 60 MB of vectors of width 384.
_BLOCK = 2048


class TextCosine(Baseline):
    """Takes the largest cosine of the ad's text and those of the history.

    Events that were skipped are not looked at.

    Text vectors are centred on the mean of the catalogue and have length 1. The
    logit is a + b cosine, fitted to training rows as in `Popularity`. A row
    without a history, or with an ad without text, has the training rate.
    """

    name = "text cosine"

    def applies(self, train: Dataset) -> bool:
        """Where the catalogue has text vectors and rows have histories."""
        return (
            super().applies(train)
            and "text" in train.catalogue.columns
            and bool(train.impressions.history_lengths.max(initial=0))
        )

    def fit(self, train: Dataset) -> "TextCosine":
        """Centres the vectors, and fits the level."""
        labels, weights = self._labels(train)
        self._rate = float(np.average(labels, weights=weights))
        last = slice(max(0, len(train) - _MOST_ROWS), None)
        cosines = largest_cosines(train.select(np.arange(len(train))[last]))
        known = cosines == cosines
        self._level, self._slope = calibration(
            cosines[known],
            labels[last][known],
            weights[last][known],
            self._rate,
        )
        return self

    def scores(self, dataset: Dataset) -> Floats:
        """Logits, float64 [n]."""
        cosines = largest_cosines(dataset)
        logits = self._level + self._slope * cosines
        return np.where(~np.isnan(cosines), logits, from_mean(self._rate, True))


def largest_cosines(dataset: Dataset) -> Floats:
    """The largest cosine of each row's ad with its newest events' ads.

    Returns:
      float64 [n], nan where there is no event or no text.
    """
    vectors = _centred(dataset.catalogue.columns["text"])
    has_text = np.asarray(np.any(vectors, axis=1))
    rows = dataset.impressions
    length = min(dataset.history_length, _MOST_EVENTS)
    found = np.full(len(dataset), np.nan)
    is_own = dataset.events.types != (dataset.schema.skipped or -1)
    events = np.append(dataset.events.ads[is_own], 0)
    before = np.append(0, np.cumsum(is_own))
    for start in range(0, len(dataset), _BLOCK):
        block = slice(start, start + _BLOCK)
        ends = before[rows.history_ends[block]]
        starts = before[rows.history_starts[block]]
        begins = np.maximum(starts, ends - length)
        places = begins[:, None] + np.arange(length)
        real = places < ends[:, None]
        ads = events[np.where(real, places, len(events) - 1)]
        real &= has_text[ads] & has_text[rows.ads[block]][:, None]
        cosines = np.einsum(
            "btd,bd->bt", vectors[ads], vectors[rows.ads[block]], optimize=True
        )
        cosines = np.where(real, cosines, -np.inf)
        largest = cosines.max(axis=1, initial=-np.inf)
        found[block] = np.where(real.any(axis=1), largest, np.nan)
    return found


def _centred(text: NDArray) -> NDArray[np.float32]:
    """Vectors [N + 1, D] of length 1, or zeros where there is no text."""
    has_text = np.asarray(np.any(text, axis=1))
    if not has_text.any():
        return np.zeros((len(text) + 1, text.shape[1]), np.float32)
    centred = np.where(has_text[:, None], text - text[has_text].mean(axis=0), 0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    vectors = centred / np.maximum(lengths, 1e-12)
    unknown = np.zeros((1, text.shape[1]))
    return np.concatenate([unknown, vectors]).astype(np.float32)
