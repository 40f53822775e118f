"""Consecutive requests, of which counts alone are kept."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tfadrec.monitoring.measure_window import Labels, calibration, fits, measure
from tfadrec.monitoring.measured_window import MeasuredWindow
from tfadrec.monitoring.profile import SCORE, Profile
from tfadrec.monitoring.request import Request
from tfadrec.monitoring.signal import Row, Signal
from tfadrec.monitoring.tally import Tally


class Window:
    """Consecutive requests, of which counts alone are kept.

    Beside the counts it keeps the scores that have labels, whose calibration is
    measured by user.

    Args:
      profile: of the bundle.
      signals: of the profile.
      labels: of the score, as far as they are known.
      together: users of requests that are kept until they are counted at once,
        which takes less than one after the other.

    Attributes:
      requests: how many users asked.
    """

    def __init__(
        self,
        profile: Profile,
        signals: Sequence[Signal],
        labels: Labels,
        together: int = 1000,
    ) -> None:
        self.requests = 0
        self._profile, self._signals, self._labels = profile, signals, labels
        self._together = together
        self._rows: list[Row] = []
        self._scores: list[NDArray[np.float64]] = []
        self._tallies: dict[str, Tally] = {}
        self._labelled: list[Request] = []
        self._scored = 0
        self._times: list[float] = []  # the first and the last one

    def add(self, request: Request) -> None:
        """Takes in a request, the newest of all."""
        self.requests += len(request.rows)
        self._rows += request.rows
        if request.scores is not None:
            self._scores.append(request.scores)
            self._scored += len(request.scores)
        if fits(request, self._labels):
            self._labelled.append(dataclasses.replace(request, rows=()))
        if request.time is not None:
            self._times = [
                min([*self._times, request.time]),
                max([*self._times, request.time]),
            ]
        if len(self._rows) >= self._together:
            self._count()

    def measured(self, number: int) -> MeasuredWindow:
        """What all of them tell.

        Args:
          number: of the window, from 1.
        """
        self._count()
        return MeasuredWindow(
            number,
            self.requests,
            min(self._times, default=None),
            max(self._times, default=None),
            measure(
                self._profile,
                self._tallies,
                left_out={s.name for s in self._signals if s.may_be_left_out},
                others=list(calibration(self._labelled, self._labels)),
            ),
            {name: t.shares for name, t in self._tallies.items() if t.slots},
            self._scored,
            self._count_labels(),
        )

    def _count_labels(self) -> int | None:
        """How many are known of the scores; None where none was given."""
        if not self._labels:
            return None
        known = (~np.isnan(self._labels[r.name]) for r in self._labelled)
        return sum(int(each.sum()) for each in known)

    def _count(self) -> None:
        """Counts what is kept, and keeps it no longer, even where it raises."""
        references = self._profile.references
        rows, self._rows = self._rows, []
        scores, self._scores = self._scores, []
        if rows:
            for signal in self._signals:
                found = signal.observe(rows)
                bins = references[signal.name].bins
                self._put(signal.name, Tally.of(bins, found))
        if scores and SCORE in references:
            bins = references[SCORE].bins
            self._put(SCORE, Tally.of_scores(bins, np.concatenate(scores)))

    def _put(self, name: str, found: Tally) -> None:
        before = self._tallies.get(name)
        self._tallies[name] = found if before is None else before + found
