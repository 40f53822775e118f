"""Writing events and impressions, part by part, as tables and as arrays.

Events are put together by ranges of users, who are whole in a part, and
impressions by ranges of time. One part is in memory at a time: it is sorted,
encoded, and added to the files. A small log is one part.
"""

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfadrec.core.schema import Schema
from tfadrec.data.encoded.column_writer import ColumnWriter
from tfadrec.data.encoded.encode_tables import (
    encode_events,
    encode_impressions,
    given_histories,
    slices_of,
)
from tfadrec.data.encoded.encoded import (
    arrays_of_events,
    arrays_of_impressions,
)
from tfadrec.data.intake import limits
from tfadrec.data.intake.feature_columns import named_columns
from tfadrec.data.intake.order import order_by
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.request_numbers import RequestNumbers
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.user_rows import parts_by_user
from tfadrec.data.intake.workspace import Workspace

_LOG = logging.getLogger(__name__)
#: One row in so many tells where parts begin.
_SAMPLED = 64
#: What stands before the names of columns that help on the way; no column of a
#: dataset begins with it.
_HELPER = "\0"
_USER, _FIRST, _SPREAD, _BEGIN, _END = (
    f"{_HELPER}{name}" for name in ("user", "first", "spread", "begin", "end")
)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where logs are written, and what they refer to.

    Args:
      folder: the dataset's.
      schema: the feature spec.
      ad_ids: of the catalogue.
      writer: of the arrays.
      workspace: where files are made on the way.
    """

    folder: pathlib.Path
    schema: Schema
    ad_ids: pa.Array
    writer: ColumnWriter
    workspace: Workspace


class EventParts:
    """The events of a log and the moments of impressions, by ranges of users.

    Args:
      place: where the log is to be written.
      events: the events.
      users: the rows of their users, see `user_rows`.
      impressions: `timestamp`.
      shown_users: the rows of their users.
      known: how many users there are.
    """

    def __init__(
        self,
        place: Place,
        events: SpilledTable,
        users: SpilledTable,
        impressions: SpilledTable,
        shown_users: SpilledTable,
        known: int,
    ) -> None:
        self._place = place
        rows = len(events) + len(impressions)
        self._count = limits.parts_of(rows, events.nbytes)
        part_of = parts_by_user((users, shown_users), known, self._count)

        def dealt(table: SpilledTable, rows: SpilledTable, columns=None):
            pairs = zip(table.batches(columns), rows.batches(), strict=True)
            numbered = (
                (_beside(batch, of), part_of[array_of(of, "user")])
                for batch, of in pairs
            )
            return Parts(numbered, self._count, place.workspace)

        self._done = dealt(events, users)
        self._shown = dealt(impressions, shown_users, ["timestamp"])

    def write_tables(self) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Writes the table of events, sorted by user and time.

        Yields:
          The rows of each part, and int32 [n], the rows of their users.
        """
        with _TableFile(self._place, "events") as file:
            for number in range(self._count):
                _say("events", number, self._count)
                table = self._done.part(number)
                order = order_by(*_arrays(table, _USER, "timestamp"))
                table = table.take(order)
                yield file.write(table), array_of(table, _USER)

    def write(self) -> SpilledTable:
        """Writes the table of events, and the log.

        Returns:
          `begin` and `end`, int64, the events of its user strictly before each
          impression, in batches as those of the impressions.
        """
        return self._shown.back(self._slices())

    def _slices(self) -> Iterator[pa.Table]:
        before = 0
        for number, (table, users) in enumerate(self.write_tables()):
            log = encode_events(
                table, self._place.schema, self._place.ad_ids, users
            )
            self._place.writer.append(arrays_of_events(log))
            moments = _arrays(self._shown.part(number), _USER, "timestamp")
            begins, ends = slices_of(log, *moments)
            yield pa.table({"begin": begins + before, "end": ends + before})
            before += len(table)


def write_histories(
    place: Place, histories: pa.Table, impressions: SpilledTable
) -> SpilledTable:
    """Writes histories that came with the impressions, as a log.

    Args:
      place: where.
      histories: one list for each row.
      impressions: `history`, the row of it.

    Returns:
      As `EventParts.write`.
    """
    log, begins, ends = given_histories(histories, place.schema, place.ad_ids)
    place.writer.append(arrays_of_events(log))
    found = SpilledTable(place.workspace)
    for batch in impressions.batches(["history"]):
        rows = array_of(batch, "history")
        found.append(pa.table({"begin": begins[rows], "end": ends[rows]}))
    return found


def write_impressions(
    place: Place,
    impressions: SpilledTable,
    users: SpilledTable,
    requests: SpilledTable,
    slices: SpilledTable,
) -> int:
    """Writes the impressions, by time and by the order of their requests.

    Args:
      place: where.
      impressions: the impressions.
      users: the rows of their users, see `user_rows`.
      requests: see `request_rows`.
      slices: as from `EventParts.write`.

    Returns:
      The number of requests.
    """
    count = limits.parts_of(len(impressions), impressions.nbytes)
    part_of = _by_time(impressions, requests, count)

    def dealt() -> Iterator[tuple[pa.Table, np.ndarray]]:
        for batch, *found in zip(
            impressions.batches(),
            requests.batches(["first", "spread"]),
            users.batches(),
            slices.batches(),
            strict=True,
        ):
            table = _beside(batch, *found)
            yield table, part_of(*_arrays(table, "timestamp", _FIRST))

    parts = Parts(dealt(), count, place.workspace)
    numbers = RequestNumbers(len(impressions), place.workspace)
    splits = _split_type(impressions)
    with _TableFile(place, "impressions") as file:
        for number in range(count):
            _say("impressions", number, count)
            table = parts.part(number)
            order = order_by(*_arrays(table, "timestamp", _FIRST))
            table = table.take(order)
            first, spread, user, begins, ends = _arrays(
                table, _FIRST, _SPREAD, _USER, _BEGIN, _END
            )
            shown = encode_impressions(
                file.write(table),
                place.schema,
                place.ad_ids,
                requests=numbers.of(first, spread),
                users=user,
                history_starts=begins,
                history_ends=ends,
                split_type=splits,
            )
            place.writer.append(arrays_of_impressions(shown))
    return numbers.count


def _by_time(
    impressions: SpilledTable, requests: SpilledTable, count: int
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The part of each row, of its time and its request's first row.

    Rows of one request and time are in one part, and later ones in later parts.
    """
    low, high = _range(impressions)
    rows = len(impressions)
    # Where that would be too large, times have to do, as a log of thousands of
    # years has enough of them.
    has_room = (high - low + 1) * rows < 2**63

    def key(times: np.ndarray, first: np.ndarray) -> np.ndarray:
        return (times - low) * rows + first if has_room else times

    some = [np.zeros(0, np.int64)]
    if count > 1:
        pairs = zip(
            impressions.batches(["timestamp"]),
            requests.batches(["first"]),
            strict=True,
        )
        for times, first in pairs:
            keys = key(array_of(times, "timestamp"), array_of(first, "first"))
            some.append(keys[::_SAMPLED])
    sample = np.sort(np.concatenate(some))
    bounds = sample[np.arange(1, count) * len(sample) // count]
    return lambda times, first: np.searchsorted(
        bounds, key(times, first), side="right"
    )


def _range(impressions: SpilledTable) -> tuple[int, int]:
    """The first and the last time."""
    ends = [
        pc.min_max(batch["timestamp"]).as_py()
        for batch in impressions.batches(["timestamp"])
        if len(batch)
    ]
    return min(e["min"] for e in ends), max(e["max"] for e in ends)


def _beside(batch: pa.Table, *others: pa.Table) -> pa.Table:
    """A batch, with what was found for its rows as columns that help."""
    for other in others:
        for name in other.column_names:
            batch = batch.append_column(f"{_HELPER}{name}", other[name])
    return batch


def _arrays(table: pa.Table, *names: str) -> list[np.ndarray]:
    return [array_of(table, name) for name in names]


def _split_type(impressions: SpilledTable) -> np.dtype:
    """Of an array that holds every split; all arrays of it are as wide."""
    found = {""}
    if "split" in impressions.column_names:
        for batch in impressions.batches(["split"]):
            found |= set(pc.unique(batch["split"]).to_pylist())
    return np.array(sorted(found)).dtype


def _say(what: str, number: int, count: int) -> None:
    _LOG.info("Writing %s, part %d of %d", what, number + 1, count)


class _TableFile:
    """A table of a dataset, which is written part by part."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._path = place.folder / f"{name}.parquet"
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "_TableFile":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pa.Table) -> pa.Table:
        """Writes rows, and gives them with the names of the dataset."""
        names = [n for n in table.column_names if not n.startswith(_HELPER)]
        named = named_columns(table.select(names), self._place.schema)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, named.schema)
        self._writer.write_table(named)
        return named
