"""Which events of a history are read."""

import tensorflow as tf

from tfadrec.data.event_kinds import EventKinds
from tfadrec.data.event_log import EventLog
from tfadrec.ops import sequence


class NewestEvents:
    """Finds the newest events of histories: slices of a log to places in it.

    Of a history that is longer than T, the newest T events are read. Where it
    holds ads that were shown and skipped, each of the two kinds has its share
    of T (see `sequence.split_length`), of which the newest are read. Events
    stay in the order of time.

    Args:
      events: the log.
      skipped: the type of events that were skipped, or 0 for none.
      length: T >= 0.
    """

    def __init__(self, events: EventLog, skipped: int, length: int) -> None:
        self._length = length
        self._nowhere = len(events.ads)
        self._kinds = None
        if skipped > 0:
            self._kinds = EventKinds.of(events.types, skipped)

    def __call__(
        self, starts: tf.Tensor, ends: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The places of the events that are read.

        Args:
          starts: int64 [B], the first event of each history.
          ends: int64 [B], one past the last.

        Returns:
          int64 [B, T] places in the log, oldest first, filled up with one past
          the last event; and int64 [B], how many are real.
        """
        steps = tf.range(self._length, dtype=tf.int64)  # [T]
        kinds = self._kinds
        if kinds is None or not kinds.is_mixed:
            lengths = tf.minimum(ends - starts, self._length)
            places = (ends - lengths)[:, None] + steps
            return self._where(steps < lengths[:, None], places), lengths
        before, first = kinds.skipped_before(ends), kinds.skipped_before(starts)
        of_all = before - first
        own, skipped = sequence.split_length(
            ends - starts - of_all, of_all, self._length
        )
        own, skipped, before, ends = (
            values[:, None] for values in (own, skipped, before, ends)
        )
        first_own, first_skipped = ends - before - own, before - skipped
        is_own, is_real = steps < own, steps < own + skipped
        places = tf.where(
            is_own,
            tf.gather(kinds.own, tf.where(is_own, first_own + steps, 0)),
            tf.gather(
                kinds.skipped,
                tf.where(~is_own & is_real, first_skipped + steps - own, 0),
            ),
        )
        places = tf.cast(places, tf.int64)
        # In the order of time, as the log is; what is nowhere comes last.
        places = tf.sort(self._where(is_real, places), axis=1)
        return places, tf.squeeze(own + skipped, 1)

    def _where(self, is_real: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        return tf.where(is_real, places, self._nowhere)
