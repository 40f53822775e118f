"""What a ranker's scores are made of, in sum."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.explanation.deletion import Deletion
from tfadrec.explanation.importance import Importance


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a ranker's scores are made of.

    Args:
      task: what is explained.
      rows: how many rows the parts are of.
      parts: feature -> the mean size of its part of a logit, largest first.
      error: the mean completeness error.
      worst_error: the largest one.
      importances: the feature that is worth most first.
      importance_rows: how many rows these are of.
      deletion: whether the events that are named count.
    """

    task: str
    rows: int
    parts: Mapping[str, float]
    error: float
    worst_error: float
    importances: Sequence[Importance]
    importance_rows: int
    deletion: Deletion

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            **dataclasses.asdict(self),
            "parts": dict(self.parts),
            "importances": [found.to_dict() for found in self.importances],
        }
