"""Writing events, part by part."""

import logging
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tfadrec.data.encoded.encode_tables import (
    encode_events,
    given_histories,
    slices_of,
)
from tfadrec.data.encoded.encoded import arrays_of_events
from tfadrec.data.intake import limits
from tfadrec.data.intake.order import order_by
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.place import Place
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.table_file import TableFile
from tfadrec.data.intake.user_rows import parts_by_user, users_of

_LOG = logging.getLogger(__name__)


class EventParts:
    """The events of a log and the moments of impressions, by ranges of users.

    Args:
      place: where the log is to be written.
      events: the events, with users that are shared.
      impressions: `user_id`, shared as well, and `timestamp`.
      known: how many users there are.
    """

    def __init__(
        self,
        place: Place,
        events: SpilledTable,
        impressions: SpilledTable,
        known: int,
    ) -> None:
        self._place = place
        rows = len(events) + len(impressions)
        self._count = limits.parts_of(rows, events.nbytes)
        part_of = parts_by_user((events, impressions), known, self._count)

        def dealt(table: SpilledTable, columns: list[str] | None = None):
            numbered = (
                (batch, part_of[users_of(batch)])
                for batch in table.batches(columns)
            )
            return Parts(numbered, self._count, place.workspace)

        self._done = dealt(events)
        self._shown = dealt(impressions, ["user_id", "timestamp"])

    def write_tables(self) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Writes the table of events, sorted by user and time.

        Yields:
          The rows of each part, and int32 [n], the rows of their users.
        """
        with TableFile(self._place, "events") as file:
            for number in range(self._count):
                _LOG.info(
                    "Writing events, part %d of %d", number + 1, self._count
                )
                table = self._done.part(number)
                times = array_of(table, "timestamp")
                table = table.take(order_by(users_of(table), times))
                yield file.write(table), users_of(table)

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
            shown = self._shown.part(number)
            moments = users_of(shown), array_of(shown, "timestamp")
            begins, ends = slices_of(log, *moments)
            yield pa.table({"begin": begins + before, "end": ends + before})
            before += len(table)


def write_histories(
    place: Place, histories: SpilledTable, impressions: SpilledTable
) -> SpilledTable:
    """Writes the table of histories that came with the impressions, and a log.

    Args:
      place: where.
      histories: one list for each row.
      impressions: `history`, the row of it.

    Returns:
      As `EventParts.write`.
    """
    bounds = place.workspace.array(len(histories) + 1, np.int64)
    row = before = 0
    with TableFile(place, "histories") as file:
        for batch in histories.batches():
            log, _, ends = given_histories(
                file.write(batch), place.schema, place.ad_ids
            )
            place.writer.append(arrays_of_events(log))
            bounds[row + 1 : row + 1 + len(batch)] = before + ends
            row += len(batch)
            before = int(bounds[row])
    found = SpilledTable(place.workspace)
    for batch in impressions.batches(["history"]):
        rows = array_of(batch, "history")
        found.append(pa.table({"begin": bounds[rows], "end": bounds[rows + 1]}))
    return found
