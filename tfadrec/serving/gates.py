"""What a version has to keep to become the stable one."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.evaluation import Difference, gate


@dataclasses.dataclass(frozen=True)
class Gates:
    """Limits of a new version, beside the stable one; None for no limit.

    Args:
      auc: how much lower its AUC may be, >= 0.
      log_loss: how much higher its log loss may be, in nats, >= 0.
      calibration: how far its predicted over observed clicks may be from 1,
        >= 0.
      latency: how many times the stable version's its own 99th percentile of
        the time for a slate may be, >= 0.

    Raises:
      InputError: where a limit is out of range.
    """

    auc: float | None = 0.002
    log_loss: float | None = 0.002
    calibration: float | None = 0.2
    latency: float | None = 1.5

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            is_number = type(value) in (int, float) and math.isfinite(value)
            if value is not None and not (is_number and value >= 0):
                raise InputError(
                    f"the gate `{field.name}` must be a number >= 0, or null "
                    f"for none. Received: {field.name}={value!r}."
                )

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Gates":
        """The gates of a YAML file's mapping.

        Raises:
          InputError: where there is no such gate, or a limit is out of range.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:
                raise InputError(
                    f"gates are {', '.join(known)}. Received: {name!r}."
                    f"{nearest([name], known)}"
                )
        return cls(**settings)

    def outcomes(
        self,
        stable: Mapping[str, float],
        canary: Mapping[str, float],
        differences: Sequence[Difference],
    ) -> list[dict[str, Any]]:
        """Whether a version keeps each gate, as sure as its rows can be.

        A gate of AUC and log loss is that of `evaluation.gate`: it is held
        where the 95 % interval of the difference lies within what may be lost.
        That of the calibration is held where the interval of the new version's
        ratio lies within the limit, and that of the latency where the interval
        of the times that both versions take does.

        Args:
          stable: the stable version's `auc`, `log_loss`, `calibration` and
            `latency`.
          canary: those of the new one, and the ends of the intervals
            `calibration_low` and `calibration_high`, `latency_low` and
            `latency_high`; the latter of its latency over that of stable.
          differences: of the new version and the stable one, in AUC and log
            loss.

        Returns:
          One dict per gate that has a limit: `gate`, `stable`, `canary`,
          `limit` (of the new one's measure), `low` and `high` (the interval of
          the difference, or of the ratio), `state` (`held`, `lost`, or `open`
          where rows or calls do not tell) and `kept`, whether it is held.
        """
        limits = {
            "auc": lambda x: stable["auc"] - x,
            "log_loss": lambda x: stable["log_loss"] + x,
            "calibration": lambda x: x,
            "latency": lambda x: stable["latency"] * x,
        }
        found = []
        for name, limit_of in limits.items():
            given = getattr(self, name)
            if given is None:
                continue
            limit, value = limit_of(given), canary[name]
            if name == "latency":
                low, high = canary["latency_low"], canary["latency_high"]
                state = _below(low, high, given)
            elif name == "calibration":
                low = canary["calibration_low"]
                high = canary["calibration_high"]
                state = _within(low - 1, high - 1, given)
            else:
                (result,) = gate(differences, given, metric=name)
                state = result.state
                low, high = result.difference.low, result.difference.high
            found.append(
                {
                    "gate": name,
                    "stable": stable[name],
                    "canary": value,
                    "limit": limit,
                    "low": low,
                    "high": high,
                    "state": state,
                    "kept": state == "held",
                }
            )
        return found


def _within(low: float, high: float, limit: float) -> str:
    """Whether an interval lies within -limit and limit."""
    if -limit <= low and high <= limit:
        return "held"
    return "lost" if low > limit or high < -limit else "open"


def _below(low: float, high: float, limit: float) -> str:
    """Whether an interval lies below a limit."""
    if high <= limit:
        return "held"
    return "lost" if low > limit else "open"
