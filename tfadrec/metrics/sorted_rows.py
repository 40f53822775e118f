"""Rows in the order of a ranking, with their ties."""

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SortedRows:
    """Rows sorted by group, then by falling score, with their ties.

    A tie is a run of rows with one group and one score; a row without equals
    is a tie of one.

    Args:
      clicks: bool [n].
      scores: float64 [n].
      groups: integers [n].
      weights: float64 [n], how many rows each row stands for, or None for one.

    Attributes:
      order: the number of each sorted row.
      first_row, tie_first_row: the first row of each group and of each tie.
      group_of_tie: integers.
      clicks, others: the weight of a group's clicks and of its other rows;
        integers where there are no weights.
      tie_clicks, tie_others: the same of each tie.
      has_both: where a group has both kinds of rows, bool.
    """

    def __init__(
        self,
        clicks: NDArray[np.bool_],
        scores: Floats,
        groups: Ints,
        weights: Floats | None = None,
    ):
        self.order = order = np.lexsort((-scores, groups))
        groups, scores, clicks = groups[order], scores[order], clicks[order]
        each = np.int64(1) if weights is None else weights[order]
        new_group = _starts(groups)
        new_tie = new_group | _starts(scores)
        self.first_row = np.flatnonzero(new_group)
        self.tie_first_row = np.flatnonzero(new_tie)
        self.group_of_tie = np.cumsum(new_group[self.tie_first_row]) - 1
        del groups, scores, new_group, new_tie  # arrays of all rows
        hits = clicks * each
        self.clicks = np.add.reduceat(hits, self.first_row)
        self.tie_clicks = np.add.reduceat(hits, self.tie_first_row)
        hits = ~clicks * each
        self.others = np.add.reduceat(hits, self.first_row)
        self.tie_others = np.add.reduceat(hits, self.tie_first_row)
        self.has_both = (self.clicks > 0) & (self.others > 0)

    @functools.cached_property
    def sizes(self) -> Ints:
        """Rows of each group."""
        return np.diff(self.first_row, append=len(self.order))

    @functools.cached_property
    def tie_sizes(self) -> Ints:
        """Rows of each tie."""
        return np.diff(self.tie_first_row, append=len(self.order))

    @functools.cached_property
    def group_of_row(self) -> Ints:
        """The group of each row."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @functools.cached_property
    def tie_of_row(self) -> Ints:
        """The tie of each row."""
        return np.repeat(np.arange(len(self.tie_sizes)), self.tie_sizes)


def _starts(values: NDArray) -> NDArray[np.bool_]:
    return np.concatenate([[True], values[1:] != values[:-1]])
