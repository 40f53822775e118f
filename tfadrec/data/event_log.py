"""What users did, held once."""

import dataclasses
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True)
class EventLog:
    """What users did, held once; an impression refers to a slice of it.

    Args:
      users: int32 [E] user rows, in ascending order; None where histories came
        with the impressions.
      ads: int32 [E] catalogue rows.
      types: int32 [E] event type codes, 0 = unknown.
      times: int64 [E] UTC seconds, or None where the log does not tell.
      columns: the events' features, arrays [E, ...] by their tensors' names.
    """

    users: np.ndarray | None
    ads: np.ndarray
    types: np.ndarray
    times: np.ndarray | None
    columns: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
