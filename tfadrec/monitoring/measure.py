"""One number of a window, and from where on it is an alarm."""

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number of a window, and from where on it is an alarm.

    Args:
      signal: an input, or `score`.
      name: `psi`, `ks`, `blank` (the share that is missing or unknown) or
        `calibration` (predicted over observed).
      value: of the window.
      low: below which it is an alarm; -inf where there is none.
      high: above which it is an alarm.
      count: of the values that it was measured on.
    """

    signal: str
    name: str
    value: float
    low: float
    high: float
    count: int

    @property
    def is_alarm(self) -> bool:
        """Whether it is further away than no drift would have it."""
        return not self.low <= self.value <= self.high

    @property
    def line(self) -> str:
        """It in words."""
        bound = f"at most {self.high:.4f}"
        if math.isfinite(self.low):
            bound = f"from {self.low:.4f} to {self.high:.4f}"
        return (
            f"{self.signal}: {self.name} {self.value:.4f}, without drift "
            f"{bound} ({self.count:,} values)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data; a bound that there is not is None."""
        return {
            **dataclasses.asdict(self),
            **{
                name: bound if math.isfinite(bound) else None
                for name, bound in (("low", self.low), ("high", self.high))
            },
            "alarm": self.is_alarm,
        }
