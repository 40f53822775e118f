"""Whether counts of clicks alone tell the labels of a log."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.near_one import near_one
from tfadrec.data.columns import as_mask, rows_of
from tfadrec.data.intake.coded_tables import joined
from tfadrec.data.intake.order import kth_smallest
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.user_rows import values_of

#: An AUC this near to one half tells nothing.
_TOLERANCE = 0.02
#: Nor does one that chance explains, in standard errors.
_ERRORS = 3
#: Rows that are ranked, drawn at random: at one purchase in five, the standard
#: error of an AUC is then below .002.
_ROWS = 200_000
#: The first rows, in time, are the training part of a log without a split.
_TRAINING = 0.8
#: Clicked, scores and weights of rows that are ranked.
_Ranked = tuple[np.ndarray, np.ndarray, np.ndarray]
_MORE = 'See "Does the sample leak?" in docs/data.md'


def popularity_notes(impressions: SpilledTable, *, sampled: bool) -> list[str]:
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
    rng = np.random.default_rng(0)
    found = [("click rate in the training part", *_by_rate(impressions, rng))]
    if sampled:
        found += _by_counts(impressions, rng)
    told = []
    for name, *ranked in found:
        auc, error = weighted_auc(*ranked)
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


def _by_rate(impressions: SpilledTable, rng: np.random.Generator) -> _Ranked:
    """Rows outside of the training part, by click rates of that part."""
    ads = values_of(impressions, "ad_id")
    is_training = _training_rule(impressions)
    columns = _columns(impressions)
    shown, clicks = np.zeros(len(ads)), np.zeros(len(ads))
    rest = 0
    for batch in impressions.batches(columns):
        train = is_training(batch)
        codes, clicked, weights = (a[train] for a in _arrays(batch, ads))
        shown += np.bincount(codes, weights, len(ads))
        clicks += np.bincount(codes, weights * clicked, len(ads))
        rest += int((~train).sum())
    rates = click_rates(shown, clicks)
    picked = np.sort(_some(rest, rng))
    found = []
    before = 0
    for batch in impressions.batches(columns):
        rows = np.flatnonzero(~is_training(batch))
        begin, end = np.searchsorted(picked, [before, before + len(rows)])
        taken = rows[picked[begin:end] - before]
        codes, clicked, weights = _arrays(batch.take(pa.array(taken)), ads)
        found.append((clicked, rates[codes], weights))
        before += len(rows)
    clicked, scores, weights = map(np.concatenate, zip(*found, strict=True))
    return clicked, scores, weights


def _by_counts(
    impressions: SpilledTable, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Rows by the clicks on their ads around them, both with a name."""
    ads = values_of(impressions, "ad_id")
    columns = _columns(impressions)
    picked = np.sort(_some(len(impressions), rng))
    ranked = _picked(impressions, picked, columns)
    codes, clicked, weights = _arrays(ranked, ads)
    times = array_of(ranked, "timestamp")
    counts = np.zeros((2, len(codes)))
    for batch in impressions.batches(columns):
        clicks = batch.filter(pc.greater(batch["clicked"], 0))
        on, _, of = _arrays(clicks, ads)
        at = array_of(clicks, "timestamp")
        counts += clicks_around(on, at, of, codes, times)
    for name, scores in zip(
        ("purchases before the impression", "purchases after it"),
        counts,
        strict=True,
    ):
        yield name, clicked, scores, weights


def clicks_around(
    clicked: np.ndarray,
    clicked_at: np.ndarray,
    weights: np.ndarray,
    ads: np.ndarray,
    times: np.ndarray,
) -> np.ndarray:
    """The clicks on each row's ad before and after the row's time.

    Args:
      clicked: int64 [n], the ad of each click, from 0 on.
      clicked_at: int64 [n], its time.
      weights: float64 [n], how many clicks it stands for.
      ads: int64 [m], the ads of the rows to count for.
      times: int64 [m], their times.

    Returns:
      float64 [2, m]; clicks at the very time of the row count for neither.
    """
    ordered = np.sort(clicked_at)
    span = len(ordered) + 1
    # The number of clicks before a time stands in for the time.
    keys = clicked * span + np.searchsorted(ordered, clicked_at)
    order = np.argsort(keys)
    keys = keys[order]
    sums = np.concatenate([[0.0], np.cumsum(weights[order])])

    def up_to(key):
        return sums[np.searchsorted(keys, key)]

    start = ads * span
    first = np.searchsorted(ordered, times)
    last = np.searchsorted(ordered, times, side="right")
    before = up_to(start + first) - up_to(start)
    after = up_to(start + span) - up_to(start + last)
    return np.stack([before, after])


def click_rates(shown: np.ndarray, clicks: np.ndarray) -> np.ndarray:
    """The click rate of each ad; those never shown have the rate of all rows.

    Args:
      shown: float64 [N], how often each ad was shown.
      clicks: float64 [N], how often it was clicked.

    Returns:
      float64 [N].
    """
    rates = np.full(len(shown), clicks.sum() / max(shown.sum(), 1e-9))
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


def _picked(
    impressions: SpilledTable, rows: np.ndarray, columns: list[str]
) -> pa.Table:
    """Some rows by their numbers, which ascend."""
    found = []
    before = 0
    for batch in impressions.batches(columns):
        begin, end = np.searchsorted(rows, [before, before + len(batch)])
        found.append(batch.take(pa.array(rows[begin:end] - before)))
        before += len(batch)
    return joined(found)


def _columns(impressions: SpilledTable) -> list[str]:
    """Those that are read."""
    optional = [n for n in ("weight", "split") if n in impressions.column_names]
    return ["ad_id", "timestamp", "clicked", *optional]


def _arrays(
    table: pa.Table, ads: pa.Array
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The places of the rows' ads, whether clicked, and weights."""
    codes = rows_of(table["ad_id"], ads).astype(np.int64) - 1
    weights = np.ones(len(codes))
    if "weight" in table.column_names:
        weights = array_of(table, "weight")
    return codes, array_of(table, "clicked") > 0, weights


def _training_rule(
    impressions: SpilledTable,
) -> Callable[[pa.Table], np.ndarray]:
    """Tells the rows that a model would be trained on, bool [n]."""
    if "split" in impressions.column_names:
        return lambda batch: as_mask(pc.equal(batch["split"], "train"))
    at = min(int(_TRAINING * len(impressions)), len(impressions) - 1)
    until = kth_smallest(
        lambda: (
            array_of(batch, "timestamp")
            for batch in impressions.batches(["timestamp"])
        ),
        at,
    )
    # Rows at the very time of the boundary come later, as `split_by_time` has
    # it.
    return lambda batch: array_of(batch, "timestamp") < until


def _some(count: int, rng: np.random.Generator) -> np.ndarray:
    """At most so many of the rows as are ranked, int64."""
    if count <= _ROWS:
        return np.arange(count)
    return rng.integers(0, count, _ROWS)
