"""How like the ad is to what the user has seen."""

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.door import tf
from tfadrec.data.dataset import Dataset
from tfadrec.data.event_kinds import EventKinds
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
        self._rate = self._mean(train)
        first = max(0, len(train) - _MOST_ROWS)
        last = train.select(np.arange(first, len(train)))
        labels, weights = self._labels(last)
        cosines = largest_cosines(last)
        known = cosines == cosines
        self._level, self._slope = calibration(
            cosines[known], labels[known], weights[known], self._rate
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
    found = np.full(len(dataset), np.nan)
    rows, events = dataset.impressions, dataset.events
    if not len(events.ads):
        return found
    text = dataset.catalogue.columns["text"]
    mean, scales = _centring(text)

    def centred(ads: NDArray) -> NDArray[np.float32]:
        return text[ads - 1].astype(np.float32) - mean

    kinds = None
    if dataset.schema.skipped:
        kinds = EventKinds.of(events.types, dataset.schema.skipped)
    length = min(dataset.history_length, _MOST_EVENTS)
    for start in range(0, len(dataset), _BLOCK):
        block = slice(start, start + _BLOCK)
        starts, ends = rows.history_starts[block], rows.history_ends[block]
        if kinds is not None:  # among events that are the user's own
            starts = starts - kinds.skipped_before(starts).numpy()
            ends = ends - kinds.skipped_before(ends).numpy()
        begins = np.maximum(starts, ends - length)
        places = begins[:, None] + np.arange(length)
        real = places < ends[:, None]
        places = np.where(real, places, 0)
        if kinds is not None:
            places = tf.gather(kinds.own, places).numpy()
            places = np.where(real, places, 0)
        ads, candidates = events.ads[places], rows.ads[block]
        lengths = scales[ads] * scales[candidates][:, None]
        real &= lengths > 0
        cosines = lengths * np.einsum(
            "btd,bd->bt", centred(ads), centred(candidates), optimize=True
        )
        cosines = np.where(real, cosines, -np.inf)
        largest = cosines.max(axis=1, initial=-np.inf)
        found[block] = np.where(real.any(axis=1), largest, np.nan)
    return found


def _centring(
    text: NDArray,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean of the ads that have a text, and what gives them length 1.

    Returns:
      float32 [D]; float32 [N + 1], 0 where there is no text, or one without a
      direction, as it is the mean.
    """
    scales = np.zeros(len(text) + 1, np.float32)
    total = np.zeros(text.shape[1])
    parts = [
        slice(begin, begin + _BLOCK) for begin in range(0, len(text), _BLOCK)
    ]
    for part in parts:
        scales[1:][part] = np.any(text[part], axis=1)
        total += text[part].sum(axis=0, dtype=np.float64)
    mean = (total / max(1, int(np.count_nonzero(scales)))).astype(np.float32)
    for part in parts:
        centred = text[part].astype(np.float32) - mean
        lengths = np.sqrt(np.square(centred).sum(axis=1))
        scales[1:][part] *= (lengths > 0) / np.maximum(lengths, 1e-12)
    return mean, scales
