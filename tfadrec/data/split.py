"""Training, validation and test rows."""

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.ranges import Share
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset


@takes(dataset="dataset")
def split_by_time(
    dataset: Dataset, *, valid: Share = 0.1, test: Share = 0.1
) -> tuple[Dataset, Dataset, Dataset]:
    """The oldest rows to train on, newer ones to validate, the newest to test.

    Rows with the same timestamp, and so the rows of one request, stay on one
    side. A dataset that brings its own `split` column is split by that. Where
    days were joined, the newest one's rows are split, and earlier ones are to
    train on.

    Args:
      dataset: any dataset.
      valid: the share of (the newest day's) rows to validate on, in (0, 1).
      test: the share of them to test on, in (0, 1).

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
        times, days = impressions.times, impressions.days
        is_new = slice(None)
        if days is not None:
            is_new = days == days.max(initial=0)
        ordered = times[is_new]
        # As datasets are written; a copy of all times can be large.
        if (ordered[1:] < ordered[:-1]).any():
            ordered = np.sort(ordered)
        n = len(ordered)
        if not n:
            ordered = np.zeros(1, np.int64)  # and every split is empty
        # Whatever has a boundary's own timestamp goes to the later side.
        first_valid = ordered[min(n - 1, round(n * (1 - valid - test)))]
        first_test = ordered[min(n - 1, round(n * (1 - test)))]
        is_late = np.zeros(len(times), bool)
        is_late[is_new] = True
        masks = [
            ~is_late | (times < first_valid),
            is_late & (times >= first_valid) & (times < first_test),
            is_late & (times >= first_test),
        ]
    train, validation, held_out = (dataset.select(mask) for mask in masks)
    for name, part in (
        ("train", train),
        ("valid", validation),
        ("test", held_out),
    ):
        if len(part) == 0:
            mend = "Give more rows or other shares."
            if (
                impressions.splits is None
                and n > 1
                and ordered[0] == ordered[-1]
            ):
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
