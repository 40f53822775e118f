"""Whether counts of clicks alone tell the labels of a log."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.near_one import near_one
from tfadrec.data.columns import as_mask

#: An AUC this near to one half tells nothing.
_TOLERANCE = 0.02
#: Nor does one that chance explains, in standard errors.
_ERRORS = 3
#: Rows that are ranked, drawn at random: at one purchase in five, the standard
#: error of an AUC is then below .002.
_ROWS = 200_000
#: The first rows, in time, are the training part of a log without a split.
_TRAINING = 0.8
_MORE = 'See "Does the sample leak?" in docs/data.md'


def popularity_notes(impressions: pa.Table, *, sampled: bool) -> list[str]:
    """A line with the counts that tell the labels and should not.

    Of sampled negatives, neither the clicks of the ad before the impression,
    nor those after it, nor its click rate in the training part (on the other
    rows) may tell bought ads from sampled ones. Of real negatives they do: what
    was clicked is clicked again. There only a click rate that tells the labels
    backwards is remarkable, as negatives then may have been sampled from the
    whole log by somebody else. The training part is what `split` names so, else
    the first 80 % of the rows in time.

    Args:
      impressions: ad_id, timestamp, clicked, and weight and split where rows
        have these.
      sampled: whether the negatives were sampled.

    Returns:
      A line, or none where all is well.
    """
    if not len(impressions):
        return []
    ads = impressions["ad_id"].combine_chunks().dictionary_encode()
    codes = ads.indices.to_numpy().astype(np.int64)
    size = len(ads.dictionary)
    times = impressions["timestamp"].to_numpy()
    clicked = impressions["clicked"].to_numpy() > 0
    weights = np.ones(len(codes))
    if "weight" in impressions.column_names:
        weights = impressions["weight"].to_numpy()

    rng = np.random.default_rng(0)
    train = _training_part(impressions)
    rates = click_rates(codes[train], clicked[train], weights[train], size)
    rest = _some(np.flatnonzero(~train), rng)
    found = [("click rate in the training part", rest, rates[codes[rest]])]
    if sampled:
        rows = _some(np.arange(len(codes)), rng)
        counts = clicks_around(codes, times, clicked, weights, rows)
        found += [
            ("purchases before the impression", rows, counts[0]),
            ("purchases after it", rows, counts[1]),
        ]
    told = []
    for name, rows, scores in found:
        auc, error = weighted_auc(clicked[rows], scores, weights[rows])
        bound = max(_TOLERANCE, _ERRORS * error)
        if auc < 0.5 - bound or (sampled and auc > 0.5 + bound):
            told.append(f"{name} {f'{auc:.3f}'.lstrip('0')}")
    if not told:
        return []
    if sampled:
        return [
            "counts of an ad tell bought ads from sampled ones, and a model "
            "may learn that in the place of taste: AUC of "
            f"{', '.join(told)}; .5 tells nothing. {_MORE}"
        ]
    return [
        "ads that were clicked often in the training part are clicked seldom "
        f"in the other rows: AUC of {told[0]}; .5 tells nothing. Were "
        f"negatives drawn from the whole log? {_MORE}"
    ]


def clicks_around(
    ads: np.ndarray,
    times: np.ndarray,
    clicked: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The clicks on each row's ad before and after the row's time.

    Args:
      ads: int64 [n], from 0 on.
      times: int64 [n].
      clicked: bool [n].
      weights: float64 [n], how many clicks each clicked row stands for.
      rows: int64 [m], the rows to count for.

    Returns:
      float64 [m] twice; clicks at the very time of the row count for neither.
    """
    ads_clicked, times_clicked = ads[clicked], times[clicked]
    ordered = np.sort(times_clicked)
    span = len(ordered) + 1
    # The number of clicks before a time stands in for the time.
    keys = ads_clicked * span + np.searchsorted(ordered, times_clicked)
    order = np.argsort(keys)
    keys = keys[order]
    sums = np.concatenate([[0.0], np.cumsum(weights[clicked][order])])

    def up_to(key):
        return sums[np.searchsorted(keys, key)]

    start = ads[rows] * span
    first = np.searchsorted(ordered, times[rows])
    last = np.searchsorted(ordered, times[rows], side="right")
    before = up_to(start + first) - up_to(start)
    after = up_to(start + span) - up_to(start + last)
    return before, after


def click_rates(
    ads: np.ndarray, clicked: np.ndarray, weights: np.ndarray, size: int
) -> np.ndarray:
    """The click rate of each ad.

    Args:
      ads: int64 [n], from 0 on.
      clicked: bool [n].
      weights: float64 [n].
      size: the number of ads.

    Returns:
      float64 [size]; ads without a row have the rate of all rows.
    """
    shown = np.bincount(ads, weights, size)
    clicks = np.bincount(ads, weights * clicked, size)
    rates = np.full(size, clicks.sum() / max(shown.sum(), 1e-9))
    np.divide(clicks, shown, out=rates, where=shown > 0)
    return rates


def weighted_auc(
    clicked: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """The area under the ROC curve, and its standard error at one half.

    Args:
      clicked: bool [n].
      scores: float64 [n]; a pair with equal scores counts one half.
      weights: float64 [n].

    Returns:
      AUC and error; 0.5 and infinity where one of the labels is missing.
      Rows with the weight 0 count for neither.
    """
    weights = near_one(weights)
    real = weights > 0
    positives = int((clicked & real).sum())
    negatives = int(real.sum()) - positives
    if not positives or not negatives:
        return 0.5, np.inf
    _, group = np.unique(scores, return_inverse=True)
    good = np.bincount(group, weights * clicked)
    bad = np.bincount(group, weights * ~clicked)
    below = np.cumsum(bad) - bad
    auc = (good * (below + bad / 2)).sum() / (good.sum() * bad.sum())
    # Mann and Whitney (1947), "On a Test of Whether One of Two Random Variables
    # Is Stochastically Larger than the Other", the variance of U.
    error = np.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    return float(auc), float(error)


def _training_part(impressions: pa.Table) -> np.ndarray:
    """Bool [n], the rows that a model would be trained on."""
    if "split" in impressions.column_names:
        return as_mask(pc.equal(impressions["split"], "train"))
    times = impressions["timestamp"].to_numpy()
    at = min(int(_TRAINING * len(times)), len(times) - 1)
    # Rows at the very time of the boundary come later, as `split_by_time` has
    # it.
    return times < np.partition(times, at)[at]


def _some(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most so many of the rows as are ranked."""
    if len(rows) <= _ROWS:
        return rows
    return rows[rng.integers(0, len(rows), _ROWS)]
