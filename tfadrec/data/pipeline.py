"""Rows to batches: the tf.data pipeline.

A batch is a handful of gathers from arrays that lie in memory once, or in files
that are mapped into it. They are done for all rows of the batch at a time, so
the cost is that of copying the result.
"""

from collections.abc import Collection, Mapping

import numpy as np
import tensorflow as tf

from tfadrec.core.errors import InputError
from tfadrec.core.require_whole import require_whole
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions
from tfadrec.data.newest_events import NewestEvents
from tfadrec.data.slates import Slates
from tfadrec.data.tensors import as_tensor, one_more

# Batches of requests that are sorted by size together: enough for little
# padding, few enough for batches to stay mixed.
_WINDOW = 16


def batches(
    impressions: Impressions,
    events: EventLog,
    users: Mapping[str, np.ndarray],
    history_length: int,
    batch_size: int,
    *,
    skipped: int = 0,
    slates: Slates | None = None,
    context: Collection[str] = (),
    seed: int | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """See `Dataset.batches`.

    Args:
      impressions: the rows.
      events: their histories.
      users: columns [U + 1, ...] of users.
      history_length: T.
      batch_size: B.
      skipped: the type of events that were skipped; see `NewestEvents`.
      slates: the rows as requests; None gives them row by row.
      context: the columns of impressions that belong to a request as a whole.
      seed: of the order, or None.
      first_step: the batch to begin with.
    """
    require_whole(1, batch_size=batch_size)
    require_whole(0, history_length=history_length, first_step=first_step)
    if seed is not None:
        require_whole(0, seed=seed)
    n = len(impressions.ads) if slates is None else len(slates.sizes)
    if n == 0:
        raise InputError("batches need rows. Received: a dataset without any.")
    if seed is None:
        examples = tf.data.Dataset.range(0, n, batch_size).map(
            lambda start: tf.range(start, tf.minimum(start + batch_size, n))
        )
    else:
        sizes = None if slates is None else slates.sizes
        if sizes is not None and sizes.min() == sizes.max():
            sizes = None
        examples = shuffled_rows(n, min(batch_size, n), seed, first_step, sizes)
    newest = NewestEvents(events, skipped, history_length)
    gather = _Gather(impressions, events, users, newest)
    make = gather if slates is None else _GatherSlates(gather, slates, context)
    # Each batch is made whole by one call, so two calls use two cores.
    return examples.map(
        make, num_parallel_calls=2, deterministic=True
    ).prefetch(2)


def shuffled_rows(
    n: int,
    batch_size: int,
    seed: int,
    first_step: int,
    sizes: np.ndarray | None = None,
) -> tf.data.Dataset:
    """An endless stream of rows [batch_size], pass after pass.

    The order of a pass depends on the seed and the number of the pass alone.

    Args:
      n: rows there are, >= `batch_size`.
      batch_size: rows at a time; what is left of a pass is left out.
      seed: of the orders.
      first_step: the batch to begin with.
      sizes: [n], where rows of like size are to come together.
    """
    steps = n // batch_size
    first_pass, first_batch = divmod(first_step, steps)
    shuffle = tf.random.experimental.stateless_shuffle

    def order_of_pass(number: tf.Tensor) -> tf.Tensor:
        order = shuffle(tf.range(n, dtype=tf.int64), seed=[seed, number])
        if sizes is None:
            return order
        # A row's window counts before its size does.
        order = order[: steps * batch_size]
        place = tf.range(steps * batch_size, dtype=tf.int64)
        window = place // (_WINDOW * batch_size)
        size = tf.gather(tf.constant(sizes, tf.int64), order)
        key = window * int(sizes.max() + 1) + size
        order = tf.gather(order, tf.argsort(key, stable=True))
        whole = shuffle(tf.range(steps, dtype=tf.int64), seed=[number, seed])
        order = tf.reshape(order, [steps, batch_size])
        return tf.reshape(tf.gather(order, whole), [-1])

    def rows_of_pass(number: tf.Tensor) -> tf.data.Dataset:
        order = order_of_pass(number)
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
    """Impression rows [B] to `(inputs, labels)`, or with the rows' weights."""

    def __init__(
        self,
        rows: Impressions,
        events: EventLog,
        users: Mapping[str, np.ndarray],
        newest: NewestEvents,
    ) -> None:
        self._newest = newest
        # One event more, so that there is always something to gather.
        self._ads = as_tensor(one_more(events.ads))
        self._types = as_tensor(one_more(events.types))
        self._times = (
            None if events.times is None else as_tensor(one_more(events.times))
        )
        self._attributes = {
            name: as_tensor(one_more(column))
            for name, column in events.columns.items()
        }
        self._users = {name: as_tensor(v) for name, v in users.items()}
        self._columns = {
            "user_id": as_tensor(rows.users),
            "candidate_ads": as_tensor(rows.ads),
            **{k: as_tensor(v) for k, v in rows.columns.items()},
        }
        self._labels = {k: as_tensor(v) for k, v in rows.labels.items()}
        self._weights = None
        if rows.weights is not None:
            self._weights = as_tensor(rows.weights)
            self._mean_weight = rows.weights.mean() or 1.0
        self._impression_times = as_tensor(rows.times)
        self._ends = as_tensor(rows.history_ends)
        self._starts = as_tensor(rows.history_starts)

    def __call__(self, rows: tf.Tensor) -> tuple:
        inputs = {k: tf.gather(v, rows) for k, v in self._columns.items()}
        inputs |= self.user_side(rows, inputs["user_id"])
        return inputs, *self.answers(rows)

    def column(self, name: str, rows: tf.Tensor) -> tf.Tensor:
        """One column of the impressions."""
        return tf.gather(self._columns[name], rows)

    @property
    def columns(self) -> list[str]:
        """The columns of the impressions."""
        return list(self._columns)

    def answers(self, rows: tf.Tensor) -> list:
        """Labels, and where there are some, weights."""
        labels = {k: tf.gather(v, rows) for k, v in self._labels.items()}
        if self._weights is None:
            return [labels]
        weights = tf.gather(self._weights, rows) / self._mean_weight
        return [labels, tf.cast(weights, tf.float32)]

    def user_side(self, rows: tf.Tensor, users: tf.Tensor) -> dict:
        """What is known of the user at the time of a row."""
        places, lengths = self._newest(
            tf.gather(self._starts, rows), tf.gather(self._ends, rows)
        )
        ages = tf.zeros(tf.shape(places), tf.int32)
        if self._times is not None:
            then = tf.gather(self._times, places)
            now = tf.gather(self._impression_times, rows)[:, None]
            age = tf.minimum(now - then, tf.int32.max)
            real = places < len(self._ads) - 1
            ages = tf.where(real, tf.cast(age, tf.int32), 0)
        return {
            "history_ads": tf.gather(self._ads, places),
            "history_events": tf.gather(self._types, places),
            "history_ages": ages,
            "history_length": tf.cast(lengths, tf.int32),
            **{k: tf.gather(v, places) for k, v in self._attributes.items()},
            **{k: tf.gather(v, users) for k, v in self._users.items()},
        }


class _GatherSlates:
    """Requests [B] to `(inputs, labels)` with slates [B, C]."""

    def __init__(
        self, gather: _Gather, slates: Slates, context: Collection[str]
    ) -> None:
        self._gather = gather
        self._rows = tf.constant(slates.rows)
        self._starts = tf.constant(slates.starts)
        self._sizes = tf.constant(slates.sizes)
        self._shared = {"user_id", *context}

    def __call__(self, requests: tf.Tensor) -> tuple:
        starts = tf.gather(self._starts, requests)
        sizes = tf.gather(self._sizes, requests)
        steps = tf.range(tf.reduce_max(sizes))  # [C]
        mask = steps < sizes[:, None]
        # Padding repeats the request's first ad.
        places = starts[:, None] + tf.where(mask, steps, 0)
        rows = tf.gather(self._rows, places)
        first = rows[:, 0]
        inputs = {
            name: self._gather.column(
                name, first if name in self._shared else rows
            )
            for name in self._gather.columns
        }
        inputs |= self._gather.user_side(first, inputs["user_id"])
        inputs["candidate_mask"] = mask
        return inputs, *self._gather.answers(rows)
