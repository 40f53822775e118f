"""What tells a label and should not."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.columns import codes, columns_of_rows
from tfadrec.diagnosis.finding import Finding
from tfadrec.metrics import ranking

#: An AUC from which one column alone tells a label as no honest one does.
_TELLS, _SURELY = 0.95, 0.99
#: Rows of the rarer class below which an AUC tells nothing.
_FEWEST = 30


def label_copies(dataset: Dataset) -> Iterator[Finding]:
    """A feature that alone tells a label, such as a copy of it.

    A category by the rate of its values in the other half of the rows, a number
    by its size, in both directions.
    """
    for label, marks in _binary(dataset):
        for _, name, values in columns_of_rows(dataset):
            auc = _best_auc(values, marks)
            if auc >= _TELLS:
                yield Finding(
                    "label_copy",
                    "error" if auc >= _SURELY else "warning",
                    name,
                    f"this feature alone tells {label}",
                    f"AUC {auc:.3f} out of fold",
                    "Was it known before the ad was shown? If not, take it out "
                    "of the table's config.",
                )


def leaking_ids(dataset: Dataset) -> Iterator[Finding]:
    """Ids that tell a label: by their rate, or by their order."""
    rows = dataset.impressions
    for label, marks in _binary(dataset):
        for name, ids, known in (
            ("ad", rows.ads, dataset.catalogue.ad_ids),
            ("user", rows.users, dataset.user_ids),
        ):
            rate = _rate_auc(codes(ids), marks)
            order = _either_way(_in_order(known)[ids], marks)
            auc = max(rate, order)
            if auc >= _TELLS:
                how = "its rate" if rate >= order else "the order of ids"
                yield Finding(
                    "leaking_id",
                    "error",
                    f"{name} id",
                    f"the {name}'s id alone tells {label}, by {how}",
                    f"AUC {auc:.3f} out of fold",
                    "Are negatives of other ads or users than positives? Draw "
                    "them from what was shown.",
                )


def future_events(dataset: Dataset) -> Iterator[Finding]:
    """Histories with events at or after the impression, or with the answer."""
    rows, events = dataset.impressions, dataset.events
    filled = np.flatnonzero(rows.history_lengths > 0)
    if not len(filled):
        return
    newest = rows.history_ends[filled] - 1
    if events.times is not None and len(events.times):
        late = events.times[newest] >= rows.times[filled]
        if late.any():
            yield Finding(
                "future_event",
                "error",
                "history",
                "histories have events at or after the impression",
                f"{late.sum()} of {len(filled)} rows",
                "Give the events their own times, in the same time zone.",
            )
    answered = np.zeros(len(rows.ads))
    answered[filled] = events.ads[newest] == rows.ads[filled]
    for label, marks in _binary(dataset):
        tells = _auc(answered, marks)
        if 0 < marks[filled].sum() < len(filled):
            tells = max(tells, _auc(answered[filled], marks[filled]))
        if tells >= _TELLS:
            yield Finding(
                "answer_in_history",
                "error",
                "history",
                f"the newest event is the ad of the row where {label} is 1",
                f"AUC {tells:.3f}",
                "Cut histories before the impression that they belong to.",
            )


def split_leaks(dataset: Dataset) -> Iterator[Finding]:
    """Requests in two splits, and training rows newer than test rows."""
    rows = dataset.impressions
    if rows.splits is None:
        return
    splits = np.asarray(rows.splits).astype(str)
    train, test = splits == "train", splits == "test"
    if not (train.any() and test.any()):
        return
    both = np.intersect1d(rows.requests[train], rows.requests[test])
    if len(both):
        count = len(np.unique(rows.requests))
        # Without times and ids a request is all that a user ever asked.
        is_timeless = rows.times.min() == rows.times.max()
        is_timeless &= count == len(np.unique(rows.people))
        found = f"{len(both)} of {count} requests"
        what, mend = "requests", "Put all rows of a request into one split."
        if is_timeless:
            what = "users, whose rows of one time count as one request,"
            mend = (
                "Where rows have times or requests, name their columns; where "
                "new users are to be met, split by users."
            )
        yield Finding(
            "split_request",
            "note" if is_timeless else "error",
            "split",
            f"{what} have rows in train and in test",
            found,
            mend,
        )
    newer = rows.times[train] > rows.times[test].min()
    share = float(newer.mean())
    if share > 0:
        yield Finding(
            "split_time",
            "warning" if share > 0.01 else "note",
            "split",
            "training rows are newer than test rows",
            f"{100 * share:.1f} % of the training rows",
            "Split by time, as a served model meets the future only.",
        )


def _binary(dataset: Dataset) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Labels of 0 and 1 that have enough rows of both."""
    for name, values in dataset.impressions.labels.items():
        marks = values == 1
        if (
            np.isin(values, (0, 1)).all()
            and min(marks.sum(), (~marks).sum()) >= _FEWEST
        ):
            yield name, marks


def _in_order(ids: NDArray) -> NDArray[np.float64]:
    """The places of ids in their order, by code; numbers in text by size."""
    try:
        values = np.asarray(ids, np.float64)
    except ValueError:
        values = np.arange(len(ids), dtype=np.float64)
    _, places = np.unique(values, return_inverse=True)
    return np.append(0.0, places + 1.0)


def _best_auc(values: NDArray, marks: NDArray[np.bool_]) -> float:
    if values.dtype.kind != "f":
        return _rate_auc(codes(values), marks)
    known = np.isfinite(values)
    missing = _rate_auc((~known).astype(np.int64), marks)
    if min(marks[known].sum(), (~marks[known]).sum()) < _FEWEST:
        return missing
    return max(missing, _either_way(values[known], marks[known]))


def _either_way(values: NDArray, marks: NDArray[np.bool_]) -> float:
    auc = _auc(values, marks)
    return max(auc, 1 - auc)


def _rate_auc(values: NDArray[np.int64], marks: NDArray[np.bool_]) -> float:
    """AUC of the rates of values, each half by those of the other half."""
    halves = np.random.default_rng(0).integers(0, 2, len(values))
    size = int(values.max(initial=0)) + 1
    scores = np.zeros(len(values))
    mean = marks.mean()
    for half in (0, 1):
        other = halves != half
        clicks = np.bincount(values[other], marks[other], size) + mean
        shown = np.bincount(values[other], minlength=size) + 1.0
        scores[~other] = (clicks / shown)[values[~other]]
    return _auc(scores, marks)


def _auc(scores: NDArray, marks: NDArray[np.bool_]) -> float:
    return ranking.auc(marks, scores)
