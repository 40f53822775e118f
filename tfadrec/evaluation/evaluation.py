"""What a model's evaluation holds."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from tfadrec.evaluation.reliability_bin import ReliabilityBin
from tfadrec.evaluation.table import (
    COUNTS,
    align,
    format_metric,
    in_parts,
)

#: A metric's value by its name.
Metrics = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A model's metrics over one dataset. `print` shows it as a table.

    An undefined metric (docs/evaluation.md) is nan.

    Args:
      metrics: task -> metric -> value, over all impressions that have its
        label: auc, gauc, uauc, log_loss (nats), normalized_entropy,
        calibration (predicted / observed) and the ends of its 95 % interval,
        ndcg@k, mrr, hit@k, recall@k, pr_auc, rig, brier, ece, count and
        positives (impressions); of real labels rmse, mae, mean_ratio
        (predicted / observed) and count.
      slices: slice -> task -> the same metrics over a part of the impressions.
      reliability: task -> bins, from the lowest predictions to the highest.
      scores: task -> what was predicted [n], in the order of the dataset, from
        which `differences` works; of a metric alone there are none.
    """

    metrics: Mapping[str, Metrics]
    slices: Mapping[str, Mapping[str, Metrics]]
    reliability: Mapping[str, tuple[ReliabilityBin, ...]]
    scores: Mapping[str, NDArray] = dataclasses.field(
        default_factory=dict, repr=False, compare=False
    )

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON holds: nan becomes None, counts integers."""
        return {
            "metrics": {t: _plain(m) for t, m in self.metrics.items()},
            "slices": {
                name: {t: _plain(m) for t, m in tasks.items()}
                for name, tasks in self.slices.items()
            },
            "reliability": {
                task: [dataclasses.asdict(point) for point in bins]
                for task, bins in self.reliability.items()
            },
        }

    def rows(self, task: str) -> list[list[str]]:
        """Table cells: a header, then a metric per row, a slice per column.

        Metrics of `undefined` have no row.
        """
        columns, undefined = self._columns(task), self.undefined(task)
        return [[task, *columns]] + [
            [name, *(format_metric(name, c[name]) for c in columns.values())]
            for name in self.metrics[task]
            if name not in undefined
        ]

    def undefined(self, task: str) -> list[str]:
        """The metrics that are nan over all impressions and in each slice."""
        columns = self._columns(task).values()
        return [
            name
            for name in self.metrics[task]
            if all(math.isnan(column[name]) for column in columns)
        ]

    def undefined_line(self, task: str) -> str:
        """What the table of `rows` leaves out, or ""."""
        names = ", ".join(self.undefined(task))
        return names and f"Undefined for these rows: {names}."

    def _columns(self, task: str) -> dict[str, Metrics]:
        return {"all": self.metrics[task]} | {
            name: tasks[task] for name, tasks in self.slices.items()
        }

    def table(self) -> str:
        """An aligned text table per task, or several where slices are many."""
        return "\n\n".join(
            part
            for task in self.metrics
            for part in (
                *map(align, in_parts(self.rows(task))),
                self.undefined_line(task),
            )
            if part
        )

    def __str__(self) -> str:
        return self.table()


def _plain(metrics: Metrics) -> dict[str, float | int | None]:
    plain: dict[str, float | int | None] = {}
    for name, value in metrics.items():
        if name in COUNTS:
            plain[name] = int(value)
        else:
            plain[name] = None if math.isnan(value) else value
    return plain
