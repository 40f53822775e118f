"""What the arguments of the exact metrics have to be."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.near_one import near_one
from tfadrec.metrics.sorted_rows import Floats, Ints


def clicks_and_scores(
    labels: ArrayLike, scores: ArrayLike
) -> tuple[NDArray[np.bool_], Floats]:
    """Labels of 0 and 1 as bool [n], and finite scores as float64 [n]."""
    marks, values = _aligned(labels, scores)
    wrong = ~((marks == 0) | (marks == 1))
    if wrong.any():
        raise InputError(
            "Labels must be 0 or 1. Received: "
            f"{marks[wrong][0].item()!r} in {wrong.sum()} of {len(marks)} "
            "rows. Remove or recode those rows."
        )
    return marks == 1, _finite_scores(values)


def amounts_and_predictions(
    labels: ArrayLike, predictions: ArrayLike
) -> tuple[Floats, Floats]:
    """Real labels and their predictions, both finite float64 [n]."""
    amounts, values = _aligned(labels, predictions)
    try:
        amounts = amounts.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Labels must be numbers. Received: dtype {amounts.dtype}. Pass "
            "the amounts that were observed."
        ) from error
    wrong = ~np.isfinite(amounts)
    if wrong.any():
        raise InputError(
            f"Labels must be finite. Received: {amounts[wrong][0]} in "
            f"{wrong.sum()} of {len(amounts)} rows. Remove those rows."
        )
    return amounts, _finite_scores(values)


def counts(weights: ArrayLike | None, rows: int) -> Floats | None:
    """How many rows each row stands for, float64 [n], or None for one.

    Only the ratios mean something.
    """
    if weights is None:
        return None
    values = np.asarray(weights)
    if values.shape != (rows,):
        raise InputError(
            "Weights must be one value per impression. Received: weights of "
            f"shape {values.shape} for {rows} rows. Pass how many rows each "
            "row stands for."
        )
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Weights must be numbers. Received: dtype {values.dtype}. Pass "
            "how many rows each row stands for."
        ) from error
    wrong = ~((values >= 0) & np.isfinite(values))
    if wrong.any():
        raise InputError(
            f"Weights must be finite and >= 0. Received: {values[wrong][0]} in "
            f"{wrong.sum()} of {rows} rows. Remove or mend those rows."
        )
    if not values.any():
        raise InputError(
            "A metric needs a row with a weight > 0. Received: weights that "
            "are all 0. Check how they were counted."
        )
    return near_one(values)


def groups_of(groups: ArrayLike, clicks: NDArray[np.bool_]) -> Ints:
    """Groups as integers that sort."""
    keys = np.asarray(groups)
    if keys.shape != clicks.shape:
        raise InputError(
            "Groups must be one value per impression. Received: groups of "
            f"shape {keys.shape}, labels of shape {clicks.shape}. Pass the "
            "user or request of every impression."
        )
    if keys.dtype.kind in "iu":
        return keys
    if keys.dtype.kind in "US":
        return np.unique(keys, return_inverse=True)[1]
    raise InputError(
        "Groups must be integers or strings. Received: dtype "
        f"{keys.dtype}. Pass catalogue rows or ids."
    )


def _aligned(labels, scores):
    marks, values = np.asarray(labels), np.asarray(scores)
    if marks.ndim != 1 or marks.shape != values.shape:
        raise InputError(
            "Labels and scores must be one value per impression. Received: "
            f"labels of shape {marks.shape}, scores of shape {values.shape}. "
            "Pass two one-dimensional arrays of equal length."
        )
    if not len(marks):
        raise InputError(
            "A metric needs at least one impression. Received: 0. Check the "
            "split or filter that left no rows."
        )
    return marks, values


def _finite_scores(values) -> Floats:
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"Scores must be numbers. Received: dtype {values.dtype}. Pass "
            "the model's logits."
        ) from error
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise InputError(
            f"Scores must be finite. Received: {values[wrong][0]} in "
            f"{wrong.sum()} of {len(values)} rows. A model that diverged "
            "gives such scores: lower its learning rate, and correct labels "
            "that are far from all others (`tfadrec doctor` finds them)."
        )
    return values


def ranks(k: int) -> None:
    """Refuses a number of ranks that count.

    Raises:
      InputError: where it is no integer >= 1.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InputError(
            f"`k` must be an integer >= 1. Received: {k!r}. Pass the number "
            "of ranks that count."
        )
