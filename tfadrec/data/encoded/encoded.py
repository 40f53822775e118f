"""The arrays of a dataset, by themselves and by the names of their files."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions
from tfadrec.data.rate_table import RateTable


@dataclasses.dataclass(frozen=True)
class Encoded:
    """All that models read of a dataset, but for its ads.

    Args:
      user_ids: [U] distinct ids in ascending order, strings (object) or int64.
      users: see `Dataset`.
      events: the event log.
      impressions: all of them.
      rates: see `Dataset`.
    """

    user_ids: np.ndarray
    users: Mapping[str, np.ndarray]
    events: EventLog
    impressions: Impressions
    rates: Mapping[str, RateTable]

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays but the ids of users, by names that files can have.

        Labels, which may be called anything, go by their numbers.
        """
        rows = vars(self.impressions)
        labels = enumerate(rows["labels"].values())
        parts = {
            "users": self.users,
            "events": vars(self.events),
            "impressions": rows | {"labels": {str(n): v for n, v in labels}},
            "rates": {name: vars(rate) for name, rate in self.rates.items()},
        }
        return _flat("", parts)

    @classmethod
    def from_arrays(
        cls,
        user_ids: np.ndarray,
        arrays: Mapping[str, np.ndarray],
        labels: Sequence[str],
    ) -> "Encoded":
        """What `arrays` was made of.

        Args:
          user_ids: as in `Encoded`.
          arrays: as from `arrays`.
          labels: their names, in the order of their numbers.

        Raises:
          KeyError: where an array is missing.
        """
        parts: dict[str, Any] = {"users": {}, "rates": {}}
        for name, array in arrays.items():
            *path, last = name.split(".")
            part = parts
            for step in path:
                part = part.setdefault(step, {})
            part[last] = array
        events, rows = parts["events"], parts["impressions"]
        numbered = rows.pop("labels", {})
        return cls(
            user_ids=user_ids,
            users=parts["users"],
            events=EventLog(
                **{"users": None, "times": None, "columns": {}} | events
            ),
            impressions=Impressions(
                **{"columns": {}} | rows,
                labels={n: numbered[str(i)] for i, n in enumerate(labels)},
            ),
            rates={k: RateTable(**v) for k, v in parts["rates"].items()},
        )


def _flat(prefix: str, part: Any) -> dict[str, np.ndarray]:
    """The arrays inside, by the names of all that they are in."""
    if part is None:
        return {}
    if not isinstance(part, Mapping):
        return {prefix: part}
    found: dict[str, np.ndarray] = {}
    for name, inner in part.items():
        found |= _flat(f"{prefix}.{name}" if prefix else name, inner)
    return found
