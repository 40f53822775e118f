"""Negatives that tell by their time that they were drawn."""

from collections.abc import Iterator

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.finding import Finding

#: Rows without a click, of ads that tell something, that a share needs.
_FEWEST = 200
#: By how much the share may be above what chance has.
_ALLOWED = 0.1


def sampler_leaks(dataset: Dataset) -> Iterator[Finding]:
    """Ads without a click at times when nobody could have clicked them.

    Where shown ads are clicked or not, both kinds of an ad's rows come at like
    times: of an ad with p clicks at distinct times, a row without one lies
    before the first click or after the last one with probability 2 / (p + 1).
    Negatives that are drawn from the whole log, as by popularity over all of
    it, come before an ad is new and after it is gone, which tells them from
    positives.
    """
    rows = dataset.impressions
    clicked = rows.labels.get("clicked")
    if clicked is None:
        return
    is_click = (clicked == 1) & (rows.ads > 0)
    first = np.full(len(dataset.catalogue) + 1, np.iinfo(np.int64).max)
    last = np.full(len(first), np.iinfo(np.int64).min)
    np.minimum.at(first, rows.ads[is_click], rows.times[is_click])
    np.maximum.at(last, rows.ads[is_click], rows.times[is_click])
    moments = np.unique(
        np.stack([rows.ads[is_click], rows.times[is_click]]), axis=1
    )
    clicks = np.bincount(moments[0], minlength=len(first))
    negative = (clicked == 0) & (clicks[rows.ads] > 2)
    if negative.sum() < _FEWEST:
        return
    ads, times = rows.ads[negative], rows.times[negative]
    outside = float(((times < first[ads]) | (times > last[ads])).mean())
    expected = float((2 / (clicks[ads] + 1)).mean())
    if outside > expected + _ALLOWED:
        yield Finding(
            "sampler_leak",
            "error",
            "negatives",
            "rows without a click are of ads at times when none was clicked",
            f"{100 * outside:.0f} % lie before an ad's first click or after "
            f"its last, {100 * expected:.0f} % would by chance",
            "Draw negatives from what was shown or sold in the same days.",
        )
