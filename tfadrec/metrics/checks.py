"""What the arguments of the exact metrics have to be."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.core.errors import InputError


def aligned(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray, NDArray]:
    """Labels and scores as arrays [n].

    Raises:
      InputError: where they are not one value each per impression.
    """
    marks, values = np.asarray(labels), np.asarray(scores)
    if marks.ndim != 1 or marks.shape != values.shape:
        raise InputError(
            "Labels and scores must be one value per impression. Received: "
            f"labels of shape {marks.shape}, scores of shape {values.shape}. "
            "Pass two one-dimensional arrays of equal length."
        )
    return marks, values


def mask(where: ArrayLike | None, rows: int) -> NDArray[np.bool_] | None:
    """Which rows count, bool [n], or None for all of them.

    Raises:
      InputError: where it is no mask of the rows, or names none of them.
    """
    if where is None:
        count, chosen = rows, None
    else:
        chosen = np.asarray(where)
        if chosen.shape != (rows,) or chosen.dtype != bool:
            raise InputError(
                "`where` must be one bool per impression. Received: "
                f"{chosen.dtype} of shape {chosen.shape} for {rows} rows."
            )
        count = int(np.count_nonzero(chosen))
    if not count:
        raise InputError(
            "A metric needs at least one impression. Received: 0. Check the "
            "split or filter that left no rows."
        )
    return chosen


def numbers(values: NDArray, what: str, mend: str) -> NDArray:
    """Values [n] of any type of numbers.

    Args:
      values: [n].
      what: their name, at the begin of a sentence.
      mend: what to do about it, a sentence.

    Raises:
      InputError: where they are none.
    """
    if values.dtype.kind in "biuf":
        return values
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what} must be numbers. Received: dtype {values.dtype}. {mend}"
        ) from error


def every(
    values: Iterable[NDArray],
    is_right: Callable[[NDArray], NDArray],
    count: int,
    rule: str,
    mend: str,
) -> None:
    """Refuses rows of which some are wrong.

    Args:
      values: of all rows, some at a time.
      is_right: some values to bool.
      count: how many rows there are.
      rule: what they must be, such as "Labels must be 0 or 1".
      mend: what to do about it, a sentence.

    Raises:
      InputError: with the first wrong value, and how many there are.
    """
    first, wrong = None, 0
    for some in values:
        bad = ~is_right(some)
        if bad.any():
            first = some[bad][0].item() if first is None else first
            wrong += int(np.count_nonzero(bad))
    if wrong:
        raise InputError(
            f"{rule}. Received: {first!r} in {wrong} of {count} rows. {mend}"
        )


def groups(keys: ArrayLike, rows: int) -> NDArray:
    """Groups of rows as integers that sort, [n].

    Raises:
      InputError: where they are not one integer or string per impression.
    """
    found = np.asarray(keys)
    if found.shape != (rows,):
        raise InputError(
            "Groups must be one value per impression. Received: groups of "
            f"shape {found.shape}, labels of shape {(rows,)}. Pass the "
            "user or request of every impression."
        )
    if found.dtype.kind in "iu":
        return found
    if found.dtype.kind in "US":
        return np.unique(found, return_inverse=True)[1]
    raise InputError(
        "Groups must be integers or strings. Received: dtype "
        f"{found.dtype}. Pass catalogue rows or ids."
    )


def weights(values: ArrayLike, rows: int) -> NDArray:
    """How many rows each row stands for, numbers [n].

    Raises:
      InputError: where they are not one number per impression.
    """
    found = np.asarray(values)
    if found.shape != (rows,):
        raise InputError(
            "Weights must be one value per impression. Received: weights of "
            f"shape {found.shape} for {rows} rows. Pass how many rows each "
            "row stands for."
        )
    return numbers(found, "Weights", "Pass how many rows each row stands for.")


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
