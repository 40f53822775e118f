"""Whether a model may take the place of another."""

import dataclasses
import math
from typing import Any, Literal

from tfadrec.evaluation.comparison.difference import Difference


@dataclasses.dataclass(frozen=True)
class GateResult:
    """A rule that a model must not lose more than a margin, and its state.

    Args:
      difference: what the rule is about.
      margin: how much may be lost, >= 0.
    """

    difference: Difference
    margin: float

    @property
    def state(self) -> Literal["held", "lost", "open"]:
        """`held`, `lost`, or `open` where the rows do not tell.

        Held is what has its interval above the allowed loss, lost what has it
        below.
        """
        low, high = self.difference.gain
        if low >= -self.margin:
            return "held"
        return "lost" if high < -self.margin else "open"

    @property
    def line(self) -> str:
        """The state, in one line, with what would help."""
        found = self.difference
        what = f"{found.task} {found.metric}, {found.part}"
        rule = f"{found.model} must not lose {self.margin:g} of {what}"
        line = f"Gate {self.state}: {rule}; {found.interval}."
        if self.state == "open" and not math.isnan(found.detectable):
            line += f" These rows tell differences of {found.detectable:.4f}."
        return line

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        found = self.difference
        return {
            "model": found.model,
            "task": found.task,
            "metric": found.metric,
            "part": found.part,
            "margin": self.margin,
            "state": self.state,
        }
