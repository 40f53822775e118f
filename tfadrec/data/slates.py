"""Rows put together as the requests that they were shown in."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.data.encoded.request_contexts import (
    are_other,
    begins_another,
    first_of_each,
)
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions

#: Events that are looked at at once, and what mixes their bits.
_AT_ONCE = 2**20
_ODD = np.uint64(0x9E3779B97F4A7C15)


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
        events: EventLog,
    ) -> "Slates":
        """Puts rows together.

        Rows of one request with other users, times or histories are requests of
        their own. Histories that rows have brought along are the same where
        they say the same. Requests stand in the order of their first rows.

        Args:
          impressions: the rows.
          context: the columns that belong to a request as a whole.
          max_candidates: >= 1; a larger request becomes several.
          events: what the histories are slices of.

        Raises:
          InputError: where `max_candidates` is below 1, or rows of one request
            have different contexts.
        """
        if type(max_candidates) is not int or max_candidates < 1:
            raise InputError(
                "`max_candidates` must be an integer >= 1. Received: "
                f"{max_candidates!r}."
            )
        moments = (impressions.requests, impressions.users, impressions.times)
        told = _told(impressions, events, moments)
        order = np.lexsort((*moments, impressions.history_lengths, told)[::-1])
        new = begins_another([key[order] for key in moments])
        new[1:] |= ~_same_histories(impressions, events, order, new)
        first = first_of_each(new)
        for name in context:
            column = impressions.columns[name]
            other = are_other(column[order], column[order[first]])
            if other.any():
                raise InputError(
                    "rows of one request have one context. Received: "
                    f"{int(other.sum())} rows where {name!r} differs from "
                    "the request's first row. Name it in "
                    "`candidate_features`, or learn from rows: `fit: {by: "
                    'row}`, in Python `by="row"`.'
                )
        place = np.arange(len(order)) - first
        starts = np.flatnonzero(place % max_candidates == 0)
        sizes = np.diff(starts, append=len(order))
        # As the rows come: a stable sort by each request's smallest row.
        earliest = np.minimum.reduceat(order, starts)
        sequence = np.argsort(earliest, kind="stable")
        return cls(order, starts[sequence], sizes[sequence])


def _told(
    impressions: Impressions,
    events: EventLog,
    moments: Sequence[np.ndarray],
) -> np.ndarray:
    """Numbers that are equal where histories are, uint64 or int64 [n].

    They are where a history begins, unless rows of one moment have begun theirs
    at several places, as where each has brought its own copy along.
    """
    starts, lengths = impressions.history_starts, impressions.history_lengths
    order = np.lexsort((*moments, starts)[::-1])
    new = begins_another([key[order] for key in moments])
    if not (~new[1:] & (np.diff(starts[order]) != 0)).any():
        return starts
    found = np.zeros(len(starts), np.uint64)
    ends = np.cumsum(lengths)
    first = 0
    while first < len(starts):
        done = ends[first - 1] if first else 0
        last = np.searchsorted(ends, done + _AT_ONCE, "right")
        rows = np.arange(first, max(int(last), first + 1))
        rows, first = rows[lengths[rows] > 0], rows[-1] + 1
        counts = lengths[rows]
        begins = np.cumsum(counts) - counts
        within = np.arange(counts.sum()) - np.repeat(begins, counts)
        places = np.repeat(starts[rows], counts) + within
        mixed = within.astype(np.uint64)
        columns = [events.ads, events.types]
        if events.times is not None:
            columns.append(events.times)
        for column in columns:
            mixed = (mixed ^ column[places].astype(np.uint64)) * _ODD
            mixed ^= mixed >> np.uint64(29)
        if len(rows):
            found[rows] = np.add.reduceat(mixed, begins)
    return found


def _same_histories(
    impressions: Impressions,
    events: EventLog,
    order: np.ndarray,
    new: np.ndarray,
) -> np.ndarray:
    """Whether each row but the first has the history of the one before it.

    Args:
      impressions: the rows.
      events: what the histories are slices of.
      order: int64 [n], of the rows.
      new: bool [n], True where another request begins anyway; such places are
        not looked at.

    Returns:
      bool [n - 1].
    """
    starts = impressions.history_starts[order]
    lengths = impressions.history_lengths[order]
    same = lengths[1:] == lengths[:-1]
    moved = same & (starts[1:] != starts[:-1]) & (lengths[1:] > 0) & ~new[1:]
    places = np.flatnonzero(moved)
    if not len(places):
        return same
    counts = lengths[1:][places]
    begins = np.cumsum(counts) - counts
    within = np.arange(counts.sum()) - np.repeat(begins, counts)
    before = np.repeat(starts[:-1][places], counts) + within
    after = np.repeat(starts[1:][places], counts) + within
    columns = [events.ads, events.types, *events.columns.values()]
    if events.times is not None:
        columns.append(events.times)
    equal = np.ones(len(within), bool)
    for column in columns:
        a, b = column[before], column[after]
        is_equal = (a == b) | ((a != a) & (b != b))
        equal &= is_equal.reshape(len(within), -1).all(1)
    same[places] = np.logical_and.reduceat(equal, begins)
    return same
