"""The trials of a search, best first."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Any

from tfadrec.evaluation.table import align
from tfadrec.tuning.files import read_json

#: Columns of costs, shown where they were measured.
COSTS = ("parameters", "size_bytes", "latency_ms")


@dataclasses.dataclass(frozen=True)
class Leaderboard:
    """The trials of a search, best first, then those without a score.

    Args:
      objective: the metric, of the validation rows.
      direction: `max` or `min`.
      names: the settings that were chosen.
      trials: a dict each, with `trial`, `status` (`completed`, `infeasible`,
        `failed` or `running`), `score`, `epochs`, `message`, `values`,
        `metrics`, `folder`, `seconds`, and what the model costs.
    """

    objective: str
    direction: str
    names: Sequence[str]
    trials: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, oracle) -> "Leaderboard":
        """That of a search as far as it has come.

        Args:
          oracle: keras-tuner's.
        """
        names = [parameter.name for parameter in oracle.get_space().space]
        trials = [_trial(oracle, t) for t in oracle.trials.values()]
        worst = -math.inf
        sign = 1 if oracle.objective.direction == "max" else -1
        trials.sort(
            key=lambda t: worst if t["score"] is None else sign * t["score"],
            reverse=True,
        )
        return cls(
            oracle.objective.name, oracle.objective.direction, names, trials
        )

    @property
    def completed(self) -> list[dict[str, Any]]:
        """Those with a score, best first."""
        return [t for t in self.trials if t["score"] is not None]

    def rows(self) -> list[list[str]]:
        """The cells of a table, header first."""
        costs = [c for c in COSTS if any(c in t for t in self.trials)]
        head = ["trial", "status", self.objective, "epochs", "seconds"]
        return [[*head, *costs, *self.names]] + [
            [
                trial["trial"],
                trial["status"],
                "" if trial["score"] is None else f"{trial['score']:.4f}",
                str(trial["epochs"]),
                show(trial.get("seconds")),
                *(show(trial.get(cost)) for cost in costs),
                *(show(trial["values"].get(name)) for name in self.names),
            ]
            for trial in self.trials
        ]

    def __str__(self) -> str:
        lines = [align(self.rows())]
        lines += [
            f"{trial['trial']}: {trial['message']}"
            for trial in self.trials
            if trial["message"]
        ]
        return "\n".join(lines)


def show(value: Any) -> str:
    """A value as it stands in a table; nothing where it does not apply."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _trial(oracle, trial) -> dict[str, Any]:
    folder = pathlib.Path(oracle._get_trial_dir(trial.trial_id))
    result = read_json(folder / "result.json")
    values = trial.hyperparameters.values
    status = "infeasible" if "infeasible" in result else trial.status.lower()
    completed = status == "completed"
    return {
        "trial": trial.trial_id,
        "status": status,
        "score": float(trial.score) if completed else None,
        "epochs": len(result.get("history", [])),
        "message": trial.message,
        "values": {k: v for k, v in values.items() if "tuner/" not in k},
        "folder": str(folder),
        **{k: result[k] for k in ("seconds", *COSTS) if k in result},
        "metrics": {
            name: None if math.isnan(value) else value
            for name, value in result.get("metrics", {}).items()
        },
    }
