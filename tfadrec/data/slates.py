"""Rows put together as the requests that they were shown in."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.data.impressions import Impressions


@dataclasses.dataclass(frozen=True)
class Slates:
    """Requests, each with all of its ads.

    Args:
      rows: int64 [n], all rows of the impressions, request after request.
      starts: int64 [S], where each request begins in `rows`.
      sizes: int64 [S], how many rows it has, >= 1.
    """

    rows: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(
        cls,
        impressions: Impressions,
        context: Sequence[str],
        max_candidates: int,
    ) -> "Slates":
        """Puts rows together.

        Rows of one request with other users, times or histories are requests of
        their own. Requests stand in the order of their first rows.

        Args:
          impressions: the rows.
          context: the columns that belong to a request as a whole.
          max_candidates: >= 1; a larger request becomes several.

        Raises:
          InputError: where `max_candidates` is below 1, or rows of one request
            have different contexts.
        """
        if type(max_candidates) is not int or max_candidates < 1:
            raise InputError(
                "`max_candidates` must be an integer >= 1. Received: "
                f"{max_candidates!r}."
            )
        keys = _keys(impressions)
        order = np.lexsort(keys[::-1])
        first = _first_of_each([key[order] for key in keys])
        for name in context:
            column = impressions.columns[name]
            other = _are_other(column[order], column[order[first]])
            if other.any():
                raise InputError(
                    "rows of one request have one context. Received: "
                    f"{int(other.sum())} rows where {name!r} differs from "
                    "the request's first row. Make it a feature of the "
                    "candidate, or read the dataset row by row."
                )
        place = np.arange(len(order)) - first
        starts = np.flatnonzero(place % max_candidates == 0)
        sizes = np.diff(starts, append=len(order))
        # As the rows come: a stable sort by each request's smallest row.
        earliest = np.minimum.reduceat(order, starts)
        sequence = np.argsort(earliest, kind="stable")
        return cls(order, starts[sequence], sizes[sequence])


def other_contexts(
    impressions: Impressions, context: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """How many rows have another context than the first of their request.

    Args:
      impressions: rows, those of one request side by side.
      context: name -> columns; those that there are not are passed over.

    Returns:
      By name, the number of rows where one of its columns is another.
    """
    first = _first_of_each(_keys(impressions))
    found = {}
    for name, columns in context.items():
        others = np.zeros(len(first), bool)
        for column in set(columns) & set(impressions.columns):
            values = impressions.columns[column]
            others |= _are_other(values, values[first])
        found[name] = int(others.sum())
    return found


def _are_other(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bool [n], True where rows [n, ...] differ; nan is nan."""
    same = (values == others) | ((values != values) & (others != others))
    return ~same.all(axis=tuple(range(1, same.ndim)))


def _keys(impressions: Impressions) -> tuple[np.ndarray, ...]:
    """By which rows are of one request, which was shown at once."""
    return (
        impressions.requests,
        impressions.users,
        impressions.times,
        impressions.history_starts,
        impressions.history_ends,
    )


def _first_of_each(keys: Sequence[np.ndarray]) -> np.ndarray:
    """int64 [n], for each row the first of those around it with its keys."""
    new = np.zeros(len(keys[0]), bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(new)[np.cumsum(new) - 1]
