"""The rows of a large log in the order of their users.

Events are sorted by user, and impressions by time. Batches of impressions that
are close in time read events all over the log; where it is larger than memory,
each of them is another read of the disk. Rows of the same users read what lies
together.
"""

import contextlib
import dataclasses
import mmap
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tfadrec.core.blocks import blocks
from tfadrec.core.scratch_array import scratch_array
from tfadrec.data.dataset import Dataset
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions

#: Bytes of events that are read from memory, in whatever order.
_LARGE = 1 << 30
#: Rows whose columns are sorted in memory.
_IN_MEMORY = 1 << 21


@contextlib.contextmanager
def by_user(dataset: Dataset, target: pathlib.Path) -> Iterator[Dataset]:
    """A dataset with its rows in the order of their users, if it is large.

    Its events count; a smaller one stays as it is. Rows of a user keep their
    order. Their columns are scratch arrays: 50 bytes or so of the disk for each
    row, until nobody uses them.

    Args:
      dataset: any.
      target: the disk is that of its folder.

    Raises:
      OSError: where there is no room.
    """
    if not _is_large(dataset.events):
        yield dataset
        return
    rows = _moved(
        dataset.impressions,
        lambda shape, dtype: scratch_array(shape, dtype, target.parent),
    )
    with _read_in_pages([rows, dataset.events]):
        yield dataclasses.replace(dataset, impressions=rows, origin=None)


def predict(
    model: Any, dataset: Dataset, batch_size: int
) -> dict[str, np.ndarray]:
    """What a model predicts of rows, in the order of the rows.

    Args:
      model: its `predict(batches)` gives a dict of task -> [n, ...].
      dataset: the rows.
      batch_size: rows at a time.
    """
    if not _is_large(dataset.events):
        return model.predict(dataset.batches(batch_size))
    found: dict[str, np.ndarray] = {}
    users = dataset.impressions.users
    for begin in range(0, len(dataset), _IN_MEMORY):
        here = users[begin : begin + _IN_MEMORY]
        rows = begin + np.argsort(here, kind="stable")
        part = dataset.select(rows)
        for task, values in model.predict(part.batches(batch_size)).items():
            shape = (len(dataset), *values.shape[1:])
            if task not in found:
                found[task] = np.empty(shape, values.dtype)
            found[task][rows] = values
    return found


@contextlib.contextmanager
def _read_in_pages(parts: Iterable[Impressions | EventLog]) -> Iterator[None]:
    """Lets the system read no more of mapped columns than is asked for.

    What it reads beside that, up to megabytes, would take the place of what is
    still needed.
    """
    found = [m for part in parts for v in vars(part).values() for m in _maps(v)]
    for mapped in found:
        mapped.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        for mapped in found:
            mapped.madvise(mmap.MADV_NORMAL)


def _maps(values: Any) -> Iterator[mmap.mmap]:
    """The files that columns are mapped from."""
    if isinstance(values, Mapping):
        for column in values.values():
            yield from _maps(column)
        return
    while isinstance(values, np.ndarray):
        values = values.base
    if isinstance(values, mmap.mmap):
        yield values


def _is_large(events: EventLog) -> bool:
    columns = [events.ads, events.types, *events.columns.values()]
    return sum(column.nbytes for column in columns) > _LARGE


def _moved(
    rows: Impressions,
    array: Callable[[tuple[int, ...], DTypeLike], np.ndarray],
) -> Impressions:
    """All columns of rows, in arrays that are made for them."""
    n = len(rows.users)
    places = array((n,), np.int32 if n < 2**31 else np.int64)
    _find_places(rows.users, places)

    def moved(values: Any) -> Any:
        if values is None:
            return None
        if isinstance(values, Mapping):
            return {name: moved(column) for name, column in values.items()}
        made = array(values.shape, values.dtype)
        for part in blocks(len(values)):
            made[places[part]] = values[part]
        return made

    return Impressions(**{name: moved(v) for name, v in vars(rows).items()})


def _find_places(users: np.ndarray, places: np.ndarray) -> None:
    """Where each row comes when rows are sorted by user, into [n]."""
    parts = list(blocks(len(users)))
    counts = np.zeros(int(users.max(initial=0)) + 1, np.int64)
    for part in parts:
        np.add.at(counts, users[part], 1)
    free = np.cumsum(counts) - counts
    for part in parts:
        order = np.argsort(users[part], kind="stable")
        those, first, sizes = np.unique(
            users[part][order], return_index=True, return_counts=True
        )
        begins = free[those] - first
        places[part][order] = np.arange(len(order)) + np.repeat(begins, sizes)
        free[those] += sizes
