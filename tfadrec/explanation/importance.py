"""What a feature is worth to a ranker."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Importance:
    """What a feature is worth.

    Args:
      field: its name.
      metric: `auc`, or `rmse` of a real label.
      loss: by how much the metric is worse where the feature's values are dealt
        to other rows; below 0 where it is better.
      low: the lower end of its 95 % interval.
      high: the upper end.
    """

    field: str
    metric: str
    loss: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)
