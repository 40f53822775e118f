"""Rows to batches: the tf.data pipeline.

A batch is a handful of gathers from arrays that lie in memory once, or in files
that are mapped into it. They are done for all rows of the batch at a time, so
the cost is that of copying the result.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np
import tensorflow as tf

from tfadrec.core.errors import InputError
from tfadrec.core.require_whole import require_whole
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions
from tfadrec.data.newest_events import NewestEvents
from tfadrec.data.slates import Slates
from tfadrec.data.tensors import as_tensor, gather_from, one_more

# Batches of requests that are sorted by size together: enough for little
# padding, few enough for batches to stay mixed.
_LIKE = 16
# Rows that are shuffled as one. Their order, and what is worked out on the way,
# takes some 100 bytes a row; and a dataset of a log of moderate size is one
# window, each of its passes in an order drawn from all.
_WINDOW_ROWS = 1 << 22
# Rows that are read from one place of the files: a page holds 1,000 values,
# and a window mixes 64 such places.
_BLOCK_ROWS = 1 << 16


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
    return in_order(examples, make)


def in_order(examples: tf.data.Dataset, make: Callable) -> tf.data.Dataset:
    """What `make` makes of each element, while the one before is used.

    Args:
      examples: the elements.
      make: a batch whole of one of them, so two calls use two cores. It may
        read arrays that are mapped into memory: they are not copied.
    """
    # To write a pipeline anew, as TensorFlow does, copies what it reads.
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    made = examples.map(make, num_parallel_calls=2, deterministic=True)
    return made.prefetch(2).with_options(options)


def shuffled_rows(
    n: int,
    batch_size: int,
    seed: int,
    first_step: int,
    sizes: np.ndarray | None = None,
    *,
    window: int = _WINDOW_ROWS,
    block: int = _BLOCK_ROWS,
) -> tf.data.Dataset:
    """An endless stream of rows [batch_size], pass after pass.

    The order of a pass depends on the seed and the number of the pass alone. Up
    to `window` rows are shuffled as one. Of more rows, the blocks of
    neighbouring rows are shuffled first, and then, in turn, the rows of as many
    blocks as make a window. So what is read at a time lies close together, and
    no order of all rows is held.

    Args:
      n: rows there are, >= `batch_size`.
      batch_size: rows at a time; what is left of a pass is left out.
      seed: of the orders.
      first_step: the batch to begin with.
      sizes: [n], where rows of like size are to come together.
      window: rows that are shuffled as one.
      block: rows that stay neighbours until then.
    """
    steps = n // batch_size
    each = steps if n <= window else max(1, window // batch_size)
    windows = -(-steps // each)
    first_pass, first_batch = divmod(first_step, steps)
    first_window, first_batch = divmod(first_batch, each)
    first_window += first_pass * windows
    shuffle = tf.random.experimental.stateless_shuffle

    def rows_at(places: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """The rows in some places of a pass, whose blocks are shuffled."""
        blocks = tf.range(-(-n // block), dtype=tf.int64)
        order = shuffle(blocks, seed=[seed, -1 - number])
        lengths = tf.minimum(n - order * block, block)
        ends = tf.cumsum(lengths)
        found = tf.searchsorted(ends, places, side="right")
        return places + tf.gather(order * block - ends + lengths, found)

    def order_of_window(number: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        begin = place * (each * batch_size)
        last = tf.constant(n, tf.int64)
        end = begin + each * batch_size
        end = tf.where(place == windows - 1, last, end)
        # Each window has a seed of its own; the first has that of the pass.
        mixed = number + place * 2**32
        order = shuffle(tf.range(begin, end), seed=[seed, mixed])
        if windows > 1:
            order = rows_at(order, number)
        if sizes is None:
            return order
        # A row's few batches count before its size does.
        order = order[: tf.size(order) // batch_size * batch_size]
        few = tf.range(tf.size(order, tf.int64)) // (_LIKE * batch_size)
        size = tf.gather(tf.constant(sizes, tf.int64), order)
        key = few * int(sizes.max() + 1) + size
        order = tf.gather(order, tf.argsort(key, stable=True))
        order = tf.reshape(order, [-1, batch_size])
        whole = tf.range(tf.shape(order, tf.int64)[0])
        order = tf.gather(order, shuffle(whole, seed=[mixed, seed]))
        return tf.reshape(order, [-1])

    def rows_of_window(number: tf.Tensor) -> tf.data.Dataset:
        place = number % windows
        order = order_of_window(number // windows, place)
        begin = tf.where(number == first_window, first_batch, 0)
        count = tf.minimum(steps - place * each, each)
        return tf.data.Dataset.range(tf.cast(begin, tf.int64), count).map(
            lambda step: tf.ensure_shape(
                order[step * batch_size : (step + 1) * batch_size], [batch_size]
            )
        )

    numbers = tf.data.Dataset.range(first_window, np.iinfo(np.int64).max)
    return numbers.flat_map(rows_of_window)


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
            "user_id": gather_from(rows.users),
            "candidate_ads": gather_from(rows.ads),
            **{k: gather_from(v) for k, v in rows.columns.items()},
        }
        self._labels = {k: gather_from(v) for k, v in rows.labels.items()}
        self._weights = None
        if rows.weights is not None:
            self._weights = gather_from(rows.weights)
            self._mean_weight = rows.weights.mean() or 1.0
        self._impression_times = gather_from(rows.times)
        self._ends = gather_from(rows.history_ends)
        self._starts = gather_from(rows.history_starts)

    def __call__(self, rows: tf.Tensor) -> tuple:
        inputs = {k: take(rows) for k, take in self._columns.items()}
        inputs |= self.user_side(rows, inputs["user_id"])
        return inputs, *self.answers(rows)

    def column(self, name: str, rows: tf.Tensor) -> tf.Tensor:
        """One column of the impressions."""
        return self._columns[name](rows)

    @property
    def columns(self) -> list[str]:
        """The columns of the impressions."""
        return list(self._columns)

    def answers(self, rows: tf.Tensor) -> list:
        """Labels, and where there are some, weights."""
        labels = {k: take(rows) for k, take in self._labels.items()}
        if self._weights is None:
            return [labels]
        weights = self._weights(rows) / self._mean_weight
        return [labels, tf.cast(weights, tf.float32)]

    def user_side(self, rows: tf.Tensor, users: tf.Tensor) -> dict:
        """What is known of the user at the time of a row."""
        places, lengths = self._newest(self._starts(rows), self._ends(rows))
        ages = tf.zeros(tf.shape(places), tf.int32)
        if self._times is not None:
            then = tf.gather(self._times, places)
            now = self._impression_times(rows)[:, None]
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
