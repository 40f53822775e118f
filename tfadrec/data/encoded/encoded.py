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
        """All arrays but the ids of users, by names that files can have."""
        return {
            **arrays_of_users(self.users),
            **arrays_of_events(self.events),
            **arrays_of_impressions(self.impressions),
            **arrays_of_rates(self.rates),
        }

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
        parts = {"users": {}, "rates": {}} | _nested(arrays)
        return cls(
            user_ids=user_ids,
            users=parts["users"],
            events=events_of(arrays),
            impressions=impressions_of(arrays, labels),
            rates={k: RateTable(**v) for k, v in parts["rates"].items()},
        )


def events_of(arrays: Mapping[str, np.ndarray]) -> EventLog:
    """The log that `arrays_of_events` made arrays of.

    Args:
      arrays: of the log, and perhaps others.

    Raises:
      KeyError: where an array is missing.
    """
    missing: dict[str, Any] = {"users": None, "times": None, "columns": {}}
    return EventLog(**missing | _nested(arrays)["events"])


def impressions_of(
    arrays: Mapping[str, np.ndarray], labels: Sequence[str]
) -> Impressions:
    """The impressions that `arrays_of_impressions` made arrays of.

    Args:
      arrays: of the impressions, and perhaps others.
      labels: their names, in the order of their numbers.

    Raises:
      KeyError: where an array is missing.
    """
    rows = _nested(arrays)["impressions"]
    numbered = rows.pop("labels", {})
    return Impressions(
        **{"columns": {}} | rows,
        labels={name: numbered[str(i)] for i, name in enumerate(labels)},
    )


def arrays_of_users(users: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The users' part of `Encoded.arrays`."""
    return _flat("users", users)


def arrays_of_events(events: EventLog) -> dict[str, np.ndarray]:
    """The log's part of `Encoded.arrays`."""
    return _flat("events", vars(events))


def arrays_of_impressions(impressions: Impressions) -> dict[str, np.ndarray]:
    """The impressions' part of `Encoded.arrays`.

    Labels, which may be called anything, go by their numbers.
    """
    labels = enumerate(impressions.labels.values())
    rows = vars(impressions) | {"labels": {str(n): v for n, v in labels}}
    return _flat("impressions", rows)


def arrays_of_rates(rates: Mapping[str, RateTable]) -> dict[str, np.ndarray]:
    """The rates' part of `Encoded.arrays`."""
    return _flat("rates", {name: vars(rate) for name, rate in rates.items()})


def _flat(prefix: str, part: Any) -> dict[str, np.ndarray]:
    """The arrays inside, by the names of all that they are in."""
    if part is None:
        return {}
    if not isinstance(part, Mapping):
        return {prefix: part}
    found: dict[str, np.ndarray] = {}
    for name, inner in part.items():
        found |= _flat(f"{prefix}.{name}", inner)
    return found


def _nested(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The inverse of `_flat`."""
    parts: dict[str, Any] = {}
    for name, array in arrays.items():
        *path, last = name.split(".")
        part = parts
        for step in path:
            part = part.setdefault(step, {})
        part[last] = array
    return parts
