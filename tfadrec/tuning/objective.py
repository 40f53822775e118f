"""What a search improves."""

import dataclasses

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.training.fit import MONITORS as MEASURED
from tfadrec.training.saved_state import MONITORS
from tfadrec.tuning.door import keras_tuner


def check_objective(objective):
    """keras-tuner's `Objective` of a metric that `training.fit` measures.

    Args:
      objective: its name, or an `Objective`.

    Raises:
      InputError: where it is not measured, or to be improved the other way.
    """
    kind = keras_tuner.Objective
    name = objective.name if isinstance(objective, kind) else objective
    if name not in MEASURED:
        raise InputError(
            f"`objective` must be one of {', '.join(MEASURED)}. Received: "
            f"{name!r}."
        )
    direction = "max" if MONITORS[name] else "min"
    if isinstance(objective, kind) and objective.direction != direction:
        raise InputError(
            f"the direction of `{name}` is {direction!r}. Received: "
            f"{objective.direction!r}."
        )
    return kind(name, direction)


def with_monitor(config: RunConfig, objective: str) -> RunConfig:
    """The settings with the best epoch chosen by the objective.

    Raises:
      InputError: where they choose it by another metric.
    """
    monitor = config.fit.get("monitor", objective)
    if monitor != objective:
        raise InputError(
            "a trial's best epoch is chosen by the objective. Received: "
            f"fit.monitor={monitor!r}, objective={objective!r}. Leave "
            "`monitor` out of the space."
        )
    return dataclasses.replace(config, fit={**config.fit, "monitor": objective})
