"""Rows in the order of a ranking, with their ties."""

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SortedRows:
    """Rows sorted by group, then by falling score, as ties.

    A tie is a run of rows with one group and one score; a row without equals
    is a tie of one.

    Args:
      scores: float [n], n >= 1.
      groups: integers [n], or None for one group.
      clicks: bool, integers or float64 [n]: how many clicks a row is.
      others: the same of what is no click.
      sizes: int64 [n], how many rows a row is; None = one.

    Attributes:
      order: the number of each sorted row.
      tie_first_row: the first sorted row of each tie.
      tie_scores: the score of each tie.
      tie_clicks, tie_others: the sums of a tie.
      tie_sizes: its rows.
      groups: each group.
      first_tie: the first tie of each group.
      clicks, others: the sums of a group.
      has_both: where a group has both, bool.
    """

    def __init__(
        self,
        scores: NDArray,
        groups: NDArray | None,
        clicks: NDArray,
        others: NDArray,
        sizes: Ints | None = None,
    ):
        self.order = order = _order(scores, groups)
        sorted_scores = scores[order]
        is_first = _starts(sorted_scores)
        if groups is None:
            self.groups = np.zeros(1, np.int64)
            self.first_tie = np.zeros(1, np.int64)
        else:
            sorted_groups = groups[order]
            is_new = _starts(sorted_groups)
            is_first |= is_new
            self.groups = sorted_groups[is_new]
            self.first_tie = np.flatnonzero(is_new[is_first])
        self.tie_first_row = first = np.flatnonzero(is_first)
        self.tie_scores = sorted_scores[first]
        if sizes is None:
            self.tie_sizes = np.diff(first, append=len(order))
        else:
            self.tie_sizes = _sums(sizes[order], first)
        self.tie_clicks = _sums(clicks[order], first)
        self.tie_others = _sums(others[order], first)
        self.clicks = _sums(self.tie_clicks, self.first_tie)
        self.others = _sums(self.tie_others, self.first_tie)
        self.has_both = (self.clicks > 0) & (self.others > 0)

    def merged(self, other: "SortedRows") -> "SortedRows":
        """The ties of these rows and of others, in one order.

        Args:
          other: of no row that these are; `order` and `tie_first_row` of the
            answer are of the ties of both.
        """
        columns = (
            (
                part.tie_scores,
                part.groups[part.group_of_tie],
                part.tie_clicks,
                part.tie_others,
                part.tie_sizes,
            )
            for part in (self, other)
        )
        return SortedRows(*map(np.concatenate, zip(*columns, strict=True)))

    @functools.cached_property
    def group_of_tie(self) -> Ints:
        """The place of each tie's group."""
        ties = np.diff(self.first_tie, append=len(self.tie_sizes))
        return np.repeat(np.arange(len(ties)), ties)

    @functools.cached_property
    def tie_of_row(self) -> Ints:
        """The tie of each sorted row."""
        return np.repeat(np.arange(len(self.tie_sizes)), self.tie_sizes)

    @functools.cached_property
    def above(self) -> Ints:
        """How many rows of its group stand above each tie."""
        before = np.cumsum(self.tie_sizes) - self.tie_sizes
        return before - before[self.first_tie][self.group_of_tie]


def _order(scores: NDArray, groups: NDArray | None) -> Ints:
    """What sorts rows by group, then by falling score.

    Rows of one group and one score come in any order. Sorting keys of 64 bits
    takes a tenth of the time of `np.lexsort`, so the order of the groups is
    that of keys of a group and of a place by score.
    """
    by_score = np.argsort(-scores)
    if groups is None:
        return by_score
    keys, bits = groups[by_score], len(by_score).bit_length()
    if int(keys.max()) - int(keys.min()) >> (63 - bits):
        keys = np.unique(keys, return_inverse=True)[1]
    keys = np.subtract(keys, keys.min(), dtype=np.int64, casting="unsafe")
    keys <<= bits
    keys |= np.arange(len(keys))
    keys.sort()
    keys &= (1 << bits) - 1
    return by_score[keys]


def _sums(values: NDArray, first: Ints) -> NDArray:
    """The sums of runs of values; those of bools are integers."""
    kind = np.float64 if values.dtype.kind == "f" else np.int64
    return np.add.reduceat(values, first, dtype=kind)


def _starts(values: NDArray) -> NDArray[np.bool_]:
    return np.concatenate([[True], values[1:] != values[:-1]])
