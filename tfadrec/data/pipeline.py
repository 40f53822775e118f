"""Rows to batches: the tf.data pipeline.

A batch is a handful of gathers from arrays that lie in memory once, done for
all rows of the batch at a time, so the cost is that of copying the result.
"""

import numpy as np
import tensorflow as tf

from tfadrec.core.errors import InputError
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions


def batches(
    impressions: Impressions,
    events: EventLog,
    history_length: int,
    batch_size: int,
    seed: int | None,
    first_step: int,
) -> tf.data.Dataset:
    """See `Dataset.batches`."""
    if batch_size < 1 or history_length < 0 or first_step < 0:
        raise InputError(
            "batch_size must be >= 1, history_length and first_step >= 0. "
            f"Received: batch_size={batch_size}, "
            f"history_length={history_length}, "
            f"first_step={first_step}."
        )
    n = len(impressions.ads)
    if n == 0:
        raise InputError("batches need rows. Received: a dataset without any.")
    if seed is None:
        rows = tf.data.Dataset.range(0, n, batch_size).map(
            lambda start: tf.range(start, tf.minimum(start + batch_size, n))
        )
    else:
        rows = shuffled_rows(n, min(batch_size, n), seed, first_step)
    gather = _Gather(impressions, events, history_length)
    # Each batch is made whole by one call, so two calls use two cores.
    return rows.map(gather, num_parallel_calls=2, deterministic=True).prefetch(
        2
    )


def shuffled_rows(
    n: int, batch_size: int, seed: int, first_step: int
) -> tf.data.Dataset:
    """An endless stream of rows [batch_size], pass after pass.

    The order of a pass depends on the seed and the number of the pass alone.

    Args:
      n: rows there are, >= `batch_size`.
      batch_size: rows at a time; what is left of a pass is left out.
      seed: of the orders.
      first_step: the batch to begin with.
    """
    steps = n // batch_size
    first_pass, first_batch = divmod(first_step, steps)

    def rows_of_pass(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(n, dtype=tf.int64), seed=[seed, number]
        )
        begin = tf.where(number == first_pass, first_batch, 0)
        begin = tf.cast(begin, tf.int64)
        return tf.data.Dataset.range(begin, steps).map(
            lambda step: tf.ensure_shape(
                order[step * batch_size : (step + 1) * batch_size], [batch_size]
            )
        )

    passes = tf.data.Dataset.range(first_pass, np.iinfo(np.int64).max)
    return passes.flat_map(rows_of_pass)


class _Gather:
    """Impression rows [B] to `(inputs, labels)`."""

    def __init__(
        self, rows: Impressions, events: EventLog, history_length: int
    ) -> None:
        self._length = history_length
        # One dummy event, so that there is always something to gather.
        self._ads = tf.constant(np.append(events.ads, np.int32(0)))
        self._types = tf.constant(np.append(events.types, np.int32(0)))
        self._times = (
            None
            if events.times is None
            else tf.constant(np.append(events.times, np.int64(0)))
        )
        self._columns = {
            "user_id": tf.constant(rows.users),
            "candidate_ads": tf.constant(rows.ads),
            **{k: tf.constant(v) for k, v in rows.context.items()},
        }
        self._labels = {k: tf.constant(v) for k, v in rows.labels.items()}
        self._impression_times = tf.constant(rows.times)
        self._ends = tf.constant(rows.history_ends)
        self._starts = tf.constant(
            np.maximum(rows.history_starts, rows.history_ends - self._length)
        )

    def __call__(self, rows: tf.Tensor) -> tuple[dict, dict]:
        inputs = {k: tf.gather(v, rows) for k, v in self._columns.items()}
        inputs |= self._history(rows)
        return inputs, {k: tf.gather(v, rows) for k, v in self._labels.items()}

    def _history(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        starts = tf.gather(self._starts, rows)
        lengths = tf.gather(self._ends, rows) - starts
        steps = tf.range(self._length, dtype=tf.int64)  # [T]
        real = steps < lengths[:, None]  # [B, T]
        places = tf.where(real, starts[:, None] + steps, len(self._ads) - 1)
        ages = tf.zeros(tf.shape(places), tf.int32)
        if self._times is not None:
            then = tf.gather(self._times, places)
            now = tf.gather(self._impression_times, rows)[:, None]
            age = tf.minimum(now - then, tf.int32.max)
            ages = tf.where(real, tf.cast(age, tf.int32), 0)
        return {
            "history_ads": tf.gather(self._ads, places),
            "history_events": tf.gather(self._types, places),
            "history_ages": ages,
            "history_length": tf.cast(lengths, tf.int32),
        }
