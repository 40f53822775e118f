"""What was measured of consecutive requests."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.monitoring.measure import Measure


@dataclasses.dataclass(frozen=True)
class MeasuredWindow:
    """What was measured of consecutive requests.

    Args:
      number: of the window, from 1.
      requests: how many users asked.
      begin: seconds of the first request that has a time, or None.
      end: of the last one.
      measures: all of them.
      shares: signal -> `missing` and `unknown`, the shares of its values.
      scores: how many were answered.
      labels: of how many of these one is known; None where there were no
        labels at all.
    """

    number: int
    requests: int
    begin: float | None
    end: float | None
    measures: tuple[Measure, ...]
    shares: Mapping[str, Mapping[str, float]]
    scores: int = 0
    labels: int | None = None

    @property
    def alarms(self) -> list[Measure]:
        """The measures that are one."""
        return [m for m in self.measures if m.is_alarm]

    @property
    def line(self) -> str:
        """It in words, without the alarms."""
        times = ""
        if self.begin is not None and self.end is not None:
            times = f", {_moment(self.begin)} to {_moment(self.end)} (UTC)"
        labels = ""
        if self.labels is not None:
            labels = f"{self.labels:,} labels of {self.scores:,} scores, "
        count = len(self.alarms)
        return (
            f"Window {self.number}: {self.requests:,} requests{times}, {labels}"
            f"{count} alarm{'s' if count != 1 else ''} of "
            f"{len(self.measures)} measures"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "number": self.number,
            "requests": self.requests,
            "begin": self.begin,
            "end": self.end,
            "alarms": len(self.alarms),
            "measures": [m.to_dict() for m in self.measures],
            "shares": {k: dict(v) for k, v in self.shares.items()},
            "scores": self.scores,
            "labels": self.labels,
        }


def _moment(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s")).replace("T", " ")
