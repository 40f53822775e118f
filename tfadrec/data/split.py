"""Training, validation and test rows."""

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.ranges import Share
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset


@takes(dataset="dataset")
def split_by_time(
    dataset: Dataset,
    *,
    valid: Share = 0.1,
    test: Share = 0.1,
    newest_day: bool = False,
) -> tuple[Dataset, Dataset, Dataset]:
    """The oldest rows to train on, newer ones to validate, the newest to test.

    Rows with the same timestamp, and so the rows of one request, stay on one
    side. A dataset that brings its own `split` column is split by that.

    With `newest_day`, where days were joined, the newest one's rows are split,
    and earlier ones are to train on: so an update splits them. A day that the
    shares cannot split, such as one of a single row or time, is to test on as a
    whole; what was to test on before it came is to validate on then, and what
    was to validate on is to train on.

    Args:
      dataset: any dataset.
      valid: the share of rows to validate on, in (0, 1).
      test: the share of rows to test on, in (0, 1).
      newest_day: whether the shares are of the rows of the newest day alone.

    Returns:
      Three datasets that share catalogue, users and event log.

    Raises:
      InputError: where the shares leave nothing to train on, a split comes out
        empty, or the `split` column holds another name.
    """
    if not (0 < valid < 1 and 0 < test < 1 and valid + test < 1):
        raise InputError(
            "shares must lie in (0, 1) and leave rows to train on. Received: "
            f"valid={valid}, test={test}."
        )
    impressions = dataset.impressions
    if impressions.splits is not None:
        masks = [impressions.splits == s for s in ("train", "valid", "test")]
        other = impressions.splits[~np.any(masks, axis=0)]
        if len(other):
            raise InputError(
                "a row's split must be train, valid or test. Received: "
                f"{other[0]!r} in {len(other)} rows. Mend the split column."
            )
    else:
        days = impressions.days if newest_day else None
        held = _held_out(impressions.times, days, (valid, test))
        masks = [~(held[0] | held[1]), *held]
    train, validation, held_out = (dataset.select(mask) for mask in masks)
    for name, part in (
        ("train", train),
        ("valid", validation),
        ("test", held_out),
    ):
        if len(part) == 0:
            mend = (
                "Rows of one time stay together: give rows of more times, or "
                "other shares."
            )
            if len(dataset) > 1 and np.ptp(impressions.times) == 0:
                mend = (
                    "All of these have one time. Prepare them with `split: "
                    "{valid: 0.1, test: 0.1}` in `impressions`, or name a "
                    "column of their parts there."
                )
            if impressions.splits is not None:
                mend = (
                    "The dataset's `split` column alone says which rows these "
                    f"are: mark some as {name}, or prepare without `split`."
                )
            raise InputError(
                f"every split needs rows. Received: none in {name!r} of "
                f"{len(dataset)} rows. {mend}"
            )
    return train, validation, held_out


def _held_out(
    times: np.ndarray, days: np.ndarray | None, shares: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows to validate and to test on, bool [n] each.

    Args:
      times: int64 [n].
      days: int [n], the day that brought a row; None for the shares of all.
      shares: of the rows of a day.
    """
    newest = 0 if days is None else int(days.max(initial=0))
    if not newest:
        return _after(times, np.ones(len(times), bool), _cut(times, shares))
    assert days is not None
    # The last day that the shares split, and those that came after it.
    first = newest
    while first and not _is_whole(times[days == first], shares):
        first -= 1
    rows = days == first
    held = _after(times, rows, _cut(times[rows], shares))
    for day in range(first + 1, newest + 1):
        if (rows := days == day).any():
            held = held[1], rows
    return held


def _cut(
    times: np.ndarray, shares: tuple[float, float]
) -> tuple[np.int64, np.int64]:
    """The first time to validate on, and the first one to test on.

    Whatever has a boundary's own time goes to the later side.
    """
    # As datasets are written; a copy of all times can be large.
    if (times[1:] < times[:-1]).any():
        times = np.sort(times)
    n = len(times)
    if not n:
        times = np.zeros(1, np.int64)  # and every split is empty
    valid, test = shares
    return (
        times[min(n - 1, round(n * (1 - valid - test)))],
        times[min(n - 1, round(n * (1 - test)))],
    )


def _is_whole(times: np.ndarray, shares: tuple[float, float]) -> bool:
    """Whether the shares leave rows for each of three parts."""
    first_valid, first_test = _cut(times, shares)
    return bool(len(times) and times.min() < first_valid < first_test)


def _after(
    times: np.ndarray, rows: np.ndarray, cut: tuple[np.int64, np.int64]
) -> tuple[np.ndarray, np.ndarray]:
    """Of some rows, bool [n], those to validate and those to test on."""
    first_valid, first_test = cut
    return (
        rows & (times >= first_valid) & (times < first_test),
        rows & (times >= first_test),
    )
