"""Numbers of requests, in the order in which these are met."""

import numpy as np

from tfadrec.data.intake.workspace import Workspace


class RequestNumbers:
    """Numbers requests from 0 on, part after part.

    Only requests whose rows have several times can be met in several parts, so
    only their numbers are kept; where rows are many, in a file that is mapped
    into memory.

    Args:
      rows: of all parts.
      workspace: where the file is made.
    """

    def __init__(self, rows: int, workspace: Workspace) -> None:
        self._rows, self._workspace = rows, workspace
        self._next = 0
        self._kept: np.ndarray | None = None

    def of(self, first: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """The numbers of the requests of a part's rows.

        Args:
          first: int64 [n] in [0, rows), which tells requests apart; rows of one
            request and time stand together.
          spread: bool [n], whether the request may have rows in other parts.

        Returns:
          int64 [n].
        """
        is_new = np.append(True, first[1:] != first[:-1])[: len(first)]
        runs = np.flatnonzero(is_new)
        return self._of_runs(first[runs], spread[runs])[np.cumsum(is_new) - 1]

    def _of_runs(self, first: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """The numbers of rows, of which those of one time are one."""
        if not spread.any():
            self._next += len(first)
            return np.arange(self._next - len(first), self._next)
        requests, place, at = np.unique(
            first, return_index=True, return_inverse=True
        )
        numbers = np.full(len(requests), -1)
        is_spread = spread[place]
        if is_spread.any():
            numbers[is_spread] = self._met()[requests[is_spread]] - 1
        new = np.flatnonzero(numbers < 0)
        new = new[np.argsort(place[new])]
        numbers[new] = self._next + np.arange(len(new))
        self._next += len(new)
        if is_spread.any():
            self._met()[requests[is_spread]] = numbers[is_spread] + 1
        return numbers[at]

    @property
    def count(self) -> int:
        """How many requests were met."""
        return self._next

    def _met(self) -> np.ndarray:
        """int64 [rows], 1 + the number of a request, 0 for a new one."""
        if self._kept is None:
            self._kept = self._workspace.array(self._rows, np.int64)
        return self._kept
