"""The best trials again, with several seeds."""

import dataclasses
import math
import pathlib
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import scipy.stats

from tfadrec.core.config import RunConfig
from tfadrec.tuning.trial import run_trial

#: Of the last choice.
SEEDS = (0, 1, 2)
_LEVEL = 0.95


def retrain(
    task: dict[str, Any],
    configs: dict[str, RunConfig],
    folder: pathlib.Path,
    objective,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Trains each of the settings with three seeds and compares the means.

    Args:
      task: as for `run_trial`, without its settings.
      configs: trial -> its settings, best first.
      folder: for a folder of each training.
      objective: keras-tuner's.
      say: is told a line about each training.

    Returns:
      `finalists`, best mean first, each with `trial`, `scores`, `mean`, and
      the `low` and `high` end of its mean's 95 % interval by Student's t;
      `separated`, whether the winner's interval ends before the second's
      begins (None without a second); and `verdict`, one line. A training that
      fails takes its trial out.
    """
    finalists = []
    for trial, config in configs.items():
        scores: list[float] = []
        for seed in SEEDS:
            seeded = dataclasses.replace(
                config, fit={**config.fit, "seed": seed}
            )
            place = folder / f"trial_{trial}-seed_{seed}"
            result = run_trial(place, {**task, "config": seeded.to_yaml()})
            if "error" in result:
                say(f"final: trial {trial}, seed {seed}: {result['error']}")
                break
            scores.append(result["metrics"][objective.name])
            say(
                f"final: trial {trial}, seed {seed}: {objective.name} "
                f"{scores[-1]:.4f}"
            )
        else:
            finalists.append({"trial": trial, **_interval(scores)})
    sign = -1 if objective.direction == "max" else 1
    finalists.sort(key=lambda finalist: sign * finalist["mean"])
    return _judged(finalists, objective)


def _interval(scores: Sequence[float]) -> dict[str, Any]:
    mean = statistics.fmean(scores)
    quantile = scipy.stats.t.ppf((1 + _LEVEL) / 2, len(scores) - 1)
    half = float(quantile) * statistics.stdev(scores) / math.sqrt(len(scores))
    return {
        "scores": list(scores),
        "mean": mean,
        "low": mean - half,
        "high": mean + half,
    }


def _judged(finalists: list[dict[str, Any]], objective) -> dict[str, Any]:
    found: dict[str, Any] = {"finalists": finalists, "separated": None}
    if not finalists:
        return found | {"verdict": "final: every training failed"}
    first, *rest = finalists
    verdict = f"trial {first['trial']}: {objective.name} {_shown(first)}"
    if rest:
        second = rest[0]
        apart = (
            first["low"] > second["high"]
            if objective.direction == "max"
            else first["high"] < second["low"]
        )
        found["separated"] = apart
        verdict += (
            f"; second, trial {second['trial']}: {_shown(second)}; the 95 % "
            f"intervals over {len(SEEDS)} seeds "
            + ("are apart" if apart else "overlap, so the order may be chance")
        )
    return found | {"verdict": verdict}


def _shown(finalist: dict[str, Any]) -> str:
    return "{mean:.4f} [{low:.4f}, {high:.4f}]".format(**finalist)
