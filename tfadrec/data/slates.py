"""Rows put together as the requests that they were shown in."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.data.encoded.request_contexts import (
    are_other,
    first_of_each,
    request_keys,
)
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
        keys = request_keys(impressions)
        order = np.lexsort(keys[::-1])
        first = first_of_each([key[order] for key in keys])
        for name in context:
            column = impressions.columns[name]
            other = are_other(column[order], column[order[first]])
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
