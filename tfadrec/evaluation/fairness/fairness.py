"""What a model's choices and errors are by group."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.evaluation.fairness.gap import Gap
from tfadrec.evaluation.table import align


@dataclasses.dataclass(frozen=True)
class Fairness:
    """What a model's choices and errors are by the groups of a column.

    Args:
      column: whose values are the groups.
      k: ads that are chosen of each request.
      groups: group -> measure -> value: `rows`; `share`, its share of all rows;
        `exposure_share`, its share of all that is chosen; `exposure`, the share
        of its rows that are chosen; `opportunity`, the same of its rows that
        were clicked; `calibration`, predicted over observed; `log_loss`, and
        `auc`.
      intervals: group -> measure -> the ends of its 95 % interval.
      gaps: of `exposure` (demographic parity), `opportunity` (equal
        opportunity), `calibration`, `log_loss` and `auc`, where two groups have
        the measure.
    """

    column: str
    k: int
    groups: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, Mapping[str, tuple[float, float]]]
    gaps: Sequence[Gap]

    def rows(self) -> list[list[str]]:
        """Table cells: a header, then a row per group."""
        names = list(next(iter(self.groups.values())))
        return [[f"{self.column}, first {self.k}", *names]] + [
            [
                group,
                str(int(values["rows"])),
                *(f"{values[name]:.4f}" for name in names[1:]),
            ]
            for group, values in self.groups.items()
        ]

    def __str__(self) -> str:
        return "\n".join([align(self.rows()), *(g.line for g in self.gaps)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data; what is not defined is nan."""
        return {
            "column": self.column,
            "k": self.k,
            "groups": {
                group: {
                    **values,
                    "intervals": {
                        name: list(ends)
                        for name, ends in self.intervals[group].items()
                    },
                }
                for group, values in self.groups.items()
            },
            "gaps": [gap.to_dict() for gap in self.gaps],
        }
