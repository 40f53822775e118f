"""By how much a model is better than another."""

import dataclasses
import math
from typing import Any, Literal

from tfadrec.evaluation.comparison.resampling import Unit
from tfadrec.evaluation.standings import SHOWN

#: The chance of an error that a verdict allows.
ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class Difference:
    """A metric of a model minus that of the reference, on the same rows.

    What is not defined is nan: an interval of the rows of a single user, the
    spread over seeds of models that have one seed each.

    Args:
      model: the model's name.
      reference: what it is compared with.
      task: the label.
      part: `all`, or the name of a slice.
      metric: the name of the metric.
      value: of the model, the mean over its seeds.
      reference_value: likewise.
      low: the lower end of the 95 % interval of `difference`.
      high: its upper end.
      rows_error: the standard error that comes from the choice of rows.
      seeds_error: the standard error that comes from the choice of seeds.
      p: the two-sided p-value of no difference.
      p_holm: the same, corrected for all models and distinct slices of a
        metric.
      detectable: the smallest true difference, of either sign, that 80 % of
        such tests would find at the level of 5 %.
      by: what was drawn for the interval, `user` or `request`.
      rows_of: the first part that has the same rows, mostly `part` itself.
    """

    model: str
    reference: str
    task: str
    part: str
    metric: str
    value: float
    reference_value: float
    low: float
    high: float
    rows_error: float
    seeds_error: float
    p: float
    p_holm: float
    detectable: float
    by: Unit
    rows_of: str

    @property
    def difference(self) -> float:
        """Of the two values."""
        return self.value - self.reference_value

    @property
    def gain(self) -> tuple[float, float]:
        """The interval of how much better the model is, below 0 for worse."""
        if SHOWN[self.metric]:
            return self.low, self.high
        return -self.high, -self.low

    @property
    def verdict(self) -> Literal["better", "worse", "open"]:
        """What can be said at the level of 5 %, after the correction."""
        if not self.p_holm <= ALPHA:
            return "open"
        return "better" if self.gain[0] > 0 else "worse"

    @property
    def interval(self) -> str:
        """The difference and its interval in words."""
        if math.isnan(self.low):
            return "these rows are too few to tell an interval"
        return (
            f"the difference {self.difference:+.4f} lies between "
            f"{self.low:+.4f} and {self.high:+.4f} (95 %)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the difference and the verdict."""
        return {
            **dataclasses.asdict(self),
            "difference": self.difference,
            "verdict": self.verdict,
        }
