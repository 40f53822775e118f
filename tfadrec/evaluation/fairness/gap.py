"""How far the groups of a column are apart in one measure."""

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Gap:
    """Of the two groups that are furthest apart.

    Args:
      measure: see `Fairness`.
      highest: the group with the largest value.
      lowest: that with the smallest one.
      difference: of the two values.
      difference_low: the lower end of its 95 % interval, below 0 where samples
        have the two the other way round.
      difference_high: the upper end.
      ratio: lowest over highest; 1 is equal.
      ratio_low: the lower end of its 95 % interval.
      ratio_high: the upper end.
    """

    measure: str
    highest: str
    lowest: str
    difference: float
    difference_low: float
    difference_high: float
    ratio: float
    ratio_low: float
    ratio_high: float

    @property
    def line(self) -> str:
        """It in words; groups that are equal as shown are called so."""
        difference = f"difference {_shown(self.difference)}"
        if math.isnan(self.difference_low):
            tells = "a group of one user tells no interval"
        else:
            low, high = self.difference_low, self.difference_high
            tells = f"{_shown(low)} to {_shown(high)}"
        if float(_shown(self.difference)) == 0:
            return (
                f"{self.measure}: equal in all groups; {difference} ({tells})"
            )
        line = (
            f'{self.measure}: highest in "{self.highest}", lowest in '
            f'"{self.lowest}"; {difference} ({tells}), ratio {self.ratio:.3f}'
        )
        if math.isnan(self.ratio_low):
            return line
        return f"{line} ({self.ratio_low:.3f} to {self.ratio_high:.3f})"

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def _shown(number: float) -> str:
    """Four digits; zero is added, as -0.0000 says nothing more."""
    return f"{round(number, 4) + 0.0:.4f}"
