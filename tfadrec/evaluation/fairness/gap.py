"""How far the groups of a column are apart in one measure."""

import dataclasses
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
        # Zero is added, as it takes the sign away from what is rounded to it.
        shown, low, high = (
            f"{round(number, 4) + 0.0:.4f}"
            for number in (
                self.difference,
                self.difference_low,
                self.difference_high,
            )
        )
        difference = f"difference {shown} ({low} to {high})"
        if float(shown) == 0:
            return f"{self.measure}: equal in all groups; {difference}"
        return (
            f'{self.measure}: highest in "{self.highest}", lowest in '
            f'"{self.lowest}"; {difference}, '
            f"ratio {self.ratio:.3f} ({self.ratio_low:.3f} to "
            f"{self.ratio_high:.3f})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)
