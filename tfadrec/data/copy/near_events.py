"""Ads that the same user acted on close in time."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.data.copy.corpus import Corpus, hold_out
from tfadrec.data.dataset import Dataset


@dataclasses.dataclass(frozen=True)
class NearEvents:
    """Events that have a partner: another text's event, by the same user.

    The events stand by user and time, each text of a user once, at its first
    event. The partners of event i are the events from `begins[i]` to before
    `ends[i]`, without i itself, which number at least one.

    Args:
      users: int32 [E].
      texts: int64 [E], places in `Corpus.texts`.
      begins: int64 [E].
      ends: int64 [E].
      anchors: int64 [A], the events that have partners, ascending.
    """

    users: np.ndarray
    texts: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    anchors: np.ndarray

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        corpus: Corpus,
        *,
        before: int,
        window_seconds: int,
        event_types: Sequence[str] | None = None,
    ) -> "NearEvents":
        """Those of a log.

        Args:
          dataset: with its event log.
          corpus: of the dataset's catalogue.
          before: UTC seconds; events from then on are not looked at, so that
            what a ranker is measured on has no part in the pairs.
          window_seconds: how far apart partners are at most, >= 1.
          event_types: names of those that count; None for all but what was
            skipped.

        Raises:
          InputError: where the log has no times, an event type is unknown, or
            no event has a partner.
        """
        log = dataset.events
        if log.users is None or log.times is None:
            raise InputError(
                "pairs of events need a log with users and times. Received: a "
                "dataset that came with its histories. Pair texts by dropout."
            )
        if type(window_seconds) is not int or window_seconds < 1:
            raise InputError(
                "`window_seconds` must be an integer >= 1. Received: "
                f"{window_seconds!r}."
            )
        texts = corpus.ads[log.ads]
        kept = (log.times < before) & (texts >= 0)
        if event_types is None:
            kept &= log.types != (dataset.schema.skipped or -1)
        else:
            kept &= np.isin(log.types, _codes(event_types, dataset))
        rows = np.flatnonzero(kept)
        keys = log.users[rows].astype(np.int64) * len(corpus.texts)
        # Of equal keys the first in time is kept: rows are in that order.
        _, first = np.unique(keys + texts[rows], return_index=True)
        rows = rows[np.sort(first)]
        users, times = log.users[rows], log.times[rows]
        begins, ends = _windows(users, times, window_seconds)
        anchors = np.flatnonzero(ends - begins > 1)
        if len(anchors) == 0:
            raise InputError(
                "pairs need users with events on two ads within the window. "
                f"Received: none among {len(rows)} events within "
                f"{window_seconds} seconds. Widen `window_seconds`, name other "
                "`events`, or pair texts by dropout."
            )
        return cls(users, texts[rows], begins, ends, anchors)

    def hold_out(
        self, share: float, seed: int
    ) -> tuple["NearEvents", "NearEvents"]:
        """The anchors of most users, and those of the others.

        Args:
          share: of the users with anchors to hold out, in (0, 1).
          seed: of the choice.

        Raises:
          InputError: where either has none.
        """
        users, numbers = np.unique(
            self.users[self.anchors], return_inverse=True
        )
        parts = hold_out(len(users), share, seed, "users with pairs of events")
        learn, held = (
            dataclasses.replace(
                self, anchors=self.anchors[np.isin(numbers, part)]
            )
            for part in parts
        )
        return learn, held


def _codes(event_types: Sequence[str], dataset: Dataset) -> list[int]:
    known = list(dataset.schema.event_types)
    unknown = [name for name in event_types if name not in known]
    if unknown or isinstance(event_types, str):
        raise InputError(
            f"`events` must be a list of event types, of {', '.join(known)}. "
            f"Received: {event_types!r}."
        )
    return [known.index(name) + 1 for name in event_types]


def _windows(
    users: np.ndarray, times: np.ndarray, window_seconds: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each event, the slice of its user's that are near in time."""
    if len(times) == 0:
        return users, users
    # One sortable key of (user, time), with room for the window between users.
    since = times - times.min()
    span = since.max() + window_seconds + 1
    keys = users.astype(np.int64) * span + since
    return (
        np.searchsorted(keys, keys - window_seconds, side="left"),
        np.searchsorted(keys, keys + window_seconds, side="right"),
    )
