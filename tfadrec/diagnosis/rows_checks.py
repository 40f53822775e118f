"""Rows, times and values that cannot be what was meant."""

from collections.abc import Iterator

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.columns import columns_of_rows
from tfadrec.diagnosis.finding import Finding

_DAY = 86_400
#: Seconds of the years 1995 and 2100.
_EARLIEST, _LATEST = 788_918_400, 4_102_444_800


def duplicates(dataset: Dataset) -> Iterator[Finding]:
    """The same ad for the same user at the same second, or a few later.

    Rows that stand for several are sums, of which there may be more than one.
    """
    rows = dataset.impressions
    if rows.weights is not None:
        return
    order = np.lexsort((rows.times, rows.ads, rows.users))
    same = (np.diff(rows.users[order]) == 0) & (np.diff(rows.ads[order]) == 0)
    gaps = np.diff(rows.times[order])
    mend = (
        "Was the log read twice, or are they retries? Keep one row each, or "
        "count them (`counts`)."
    )
    share = float((same & (gaps == 0)).sum()) / len(dataset)
    if share > 0.01:
        yield Finding(
            "duplicate",
            "warning",
            "impressions",
            "the same user, ad and second come again",
            f"{100 * share:.1f} % of the rows",
            mend,
        )
    share = float((same & (gaps > 0) & (gaps <= 2)).sum()) / len(dataset)
    if share > 0.01:
        yield Finding(
            "near_duplicate",
            "note",
            "impressions",
            "the same user and ad come again within two seconds",
            f"{100 * share:.1f} % of the rows",
            mend,
        )


def copied_ads(dataset: Dataset) -> Iterator[Finding]:
    """Ads with the very same copy."""
    catalogue = dataset.catalogue
    copy = list(zip(catalogue.titles, catalogue.descriptions, strict=True))
    written = [text for text in copy if "".join(text).strip()]
    if not written:
        return
    share = 1 - len(set(written)) / len(written)
    if share > 0.2:
        yield Finding(
            "copied_ads",
            "note",
            "catalogue",
            "ads have the same title and description as another one",
            f"{100 * share:.0f} % of {len(written)} ads with copy",
            "Their texts cannot tell them apart: give a column that does.",
        )


def one_class(dataset: Dataset) -> Iterator[Finding]:
    """Labels, or all requests of a log, that are of one class."""
    rows = dataset.impressions
    for name, values in rows.labels.items():
        if len(values) and values.min() == values.max():
            yield Finding(
                "one_class",
                "error",
                name,
                "the label has one value only",
                f"{values[0]:g} in {len(values)} rows",
                "Nothing can be learned of it: give rows of both kinds.",
            )
    clicked = rows.labels.get("clicked")
    if clicked is None or clicked.min(initial=1) == clicked.max(initial=0):
        return
    _, place, sizes = np.unique(
        rows.requests, return_inverse=True, return_counts=True
    )
    clicks = np.bincount(place, clicked)
    several = sizes > 1
    mixed = several & (clicks > 0) & (clicks < sizes)
    if several.sum() >= 20 and not mixed.any():
        yield Finding(
            "one_class_requests",
            "warning",
            "requests",
            "no request has both a click and an ad without one",
            f"{several.sum()} requests of several ads",
            "Check how request ids were made; losses by request learn nothing.",
        )


def constants(dataset: Dataset) -> Iterator[Finding]:
    """Features with one value in all rows."""
    if len(dataset) < 2:
        return
    for _, name, values in columns_of_rows(dataset):
        # Missing is an answer of its own, and nan equals nothing.
        if values.min() == values.max():
            yield Finding(
                "constant",
                "warning",
                name,
                "the feature has one value in all rows",
                f"{len(values)} rows",
                "Leave it out, or mend the column.",
            )


def unknown_values(dataset: Dataset) -> Iterator[Finding]:
    """Ads, users and values that the dataset does not know."""
    rows = dataset.impressions
    found = [("ad", rows.ads == 0), ("user", rows.users == 0)]
    for _, name, values in columns_of_rows(dataset):
        missing = np.isnan(values) if values.dtype.kind == "f" else values == 0
        found.append((name, missing))
    for name, missing in found:
        share = float(missing.mean()) if len(missing) else 0.0
        least = 0.05 if name in ("ad", "user") else 0.5
        if share > least:
            yield Finding(
                "unknown",
                "warning",
                name,
                "values are missing or not known",
                f"{100 * share:.0f} % of the rows",
                "Do the ids or values match those of the other file, in case "
                "and type?",
            )


def impossible_times(dataset: Dataset) -> Iterator[Finding]:
    """Years that no log is of, and days that are months."""
    times = dataset.impressions.times
    wrong = (times < _EARLIEST) | (times > _LATEST)
    if wrong.any():
        yield Finding(
            "impossible_time",
            "error",
            "timestamp",
            "times lie before 1995 or after 2100",
            f"{wrong.sum()} of {len(times)} rows",
            "Are they milliseconds, or of another format? Say so with "
            "`timestamp_format`.",
        )
        return
    days = np.unique(times // _DAY).astype("M8[D]")
    months = np.unique(days.astype("M8[M]"))
    of_month = (days - days.astype("M8[M]")).astype(int) + 1
    if len(days) >= 20 and len(months) >= 6 and of_month.max() <= 12:
        yield Finding(
            "swapped_dates",
            "error",
            "timestamp",
            "no row is of a day after the 12th, so days may be months",
            f"{len(days)} days of {len(months)} months",
            "Name the order of day and month with `timestamp_format`.",
        )


def clock_jumps(dataset: Dataset) -> Iterator[Finding]:
    """A long time without rows, and many rows in one second."""
    times = np.sort(dataset.impressions.times)
    if len(times) < 100:
        return
    span = times[-1] - times[0]
    gaps = np.diff(times)
    longest = int(gaps.argmax())
    if gaps[longest] > max(0.25 * span, 50 * max(np.median(gaps), 1)):
        at = times[longest].astype("M8[s]")
        yield Finding(
            "clock_jump",
            "note" if _parts_splits(dataset, times[longest]) else "warning",
            "timestamp",
            f"no row for a long time from {at} on",
            f"{100 * gaps[longest] / span:.0f} % of the log's whole time",
            "Is a part of the log missing, or of a clock that was wrong?",
        )
    _, counts = np.unique(times, return_counts=True)
    share = counts.max() / len(times)
    if share > 0.2 and len(counts) > 1:
        yield Finding(
            "same_second",
            "warning",
            "timestamp",
            "many rows have the very same time",
            f"{100 * share:.0f} % of the rows",
            "Times without hours make a day's rows each other's present: give "
            "finer ones where there are some.",
        )


def _parts_splits(dataset: Dataset, time: np.int64) -> bool:
    """Whether a published split has no part on both sides of a time."""
    rows = dataset.impressions
    if rows.splits is None:
        return False
    splits = np.asarray(rows.splits).astype(str)
    before = rows.times <= time
    return not set(splits[before]) & set(splits[~before])
