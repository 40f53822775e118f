"""Which rows are of one request, and whether they have one context."""

from collections.abc import Mapping, Sequence

import numpy as np

from tfadrec.data.impressions import Impressions


def other_contexts(
    impressions: Impressions, context: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """How many rows have another context than the first of their request.

    Args:
      impressions: rows, those of one request side by side. Rows that bring
        copies of one history along are told apart here.
      context: name -> columns; those that there are not are passed over.

    Returns:
      By name, the number of rows where one of its columns is another.
    """
    keys = (
        impressions.requests,
        impressions.users,
        impressions.times,
        impressions.history_starts,
        impressions.history_ends,
    )
    first = first_of_each(begins_another(keys))
    found = {}
    for name, columns in context.items():
        others = np.zeros(len(first), bool)
        for column in set(columns) & set(impressions.columns):
            values = impressions.columns[column]
            others |= are_other(values, values[first])
        found[name] = int(others.sum())
    return found


def are_other(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bool [n], True where rows [n, ...] differ; nan is nan."""
    same = (values == others) | ((values != values) & (others != others))
    return ~same.all(axis=tuple(range(1, same.ndim)))


def begins_another(keys: Sequence[np.ndarray]) -> np.ndarray:
    """Bool [n], True where one of the keys is not that of the row before."""
    new = np.zeros(len(keys[0]), bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    return new


def first_of_each(new: np.ndarray) -> np.ndarray:
    """int64 [n], the last row before each, or itself, that is new [n]."""
    return np.flatnonzero(new)[np.cumsum(new) - 1]
