"""Rows of a large table, put together as parts that fit into memory."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from tfadrec.data.columns import as_codes
from tfadrec.data.intake.ahead import ahead
from tfadrec.data.intake.coded_tables import (
    joined,
    plain_table,
    seldom_repeated,
)
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace


class Parts:
    """The rows of a table in parts, and the way back to the table's order.

    Within a part rows keep their order. The next batch, or what is found for
    the next part, is made in a thread while this one is written.

    Args:
      batches: batches of the table, and for each row the number of its part,
        int [n] in [0, count).
      count: of the parts, from 1 to 32,768.
      workspace: where files are made.

    Example:
      parts = Parts(((t, key_of(t) % 8) for t in log.batches()), 8, workspace)
      found = parts.back(work_on(parts.part(p)) for p in range(8))
    """

    def __init__(
        self,
        batches: Iterable[tuple[pa.Table, np.ndarray]],
        count: int,
        workspace: Workspace,
    ) -> None:
        self.count = count
        self._workspace = workspace
        #: Of each batch its rows by parts: piece `batch * count + part`.
        self._pieces = self._table()
        self._orders = self._table()
        sizes = []
        for table, numbers in ahead(iter(batches)):
            numbers = numbers.astype(np.int16)
            # Small integers are sorted by counting.
            order = np.argsort(numbers, kind="stable").astype(np.uint32)
            sizes.append(np.bincount(numbers, minlength=count))
            dealt = _taken(table, order)
            begin = 0
            for size in sizes[-1].tolist():
                self._pieces.append(self._piece(dealt.slice(begin, size)))
                begin += size
            self._orders.append(pa.table({"order": order}))
        self._sizes = np.array(sizes)

    def part(self, number: int) -> pa.Table:
        """The rows of a part, in the order of the table."""
        batches = range(len(self._sizes))
        pieces = (self._pieces.batch(b * self.count + number) for b in batches)
        return joined(pieces)

    def back(self, tables: Iterable[pa.Table]) -> SpilledTable:
        """What was found for the rows of each part, in the table's order.

        Args:
          tables: one for each part, whose rows are those of `part`.

        Returns:
          A table with the batches that the parts were made of.
        """
        pieces = self._table()
        for number, table in enumerate(ahead(iter(tables))):
            begin = 0
            for size in self._sizes[:, number].tolist():
                pieces.append(table.slice(begin, size))
                begin += size
        found = SpilledTable(self._workspace)
        batches = len(self._sizes)

        def in_order() -> Iterator[pa.Table]:
            for batch, order in enumerate(self._orders.batches()):
                parts = range(self.count)
                dealt = joined(
                    pieces.batch(part * batches + batch) for part in parts
                )
                places = np.empty(len(dealt), np.uint32)
                places[order["order"].to_numpy()] = np.arange(len(dealt))
                yield _taken(dealt, places)

        for table in ahead(in_order()):
            found.append(table)
        return found

    def _piece(self, table: pa.Table) -> pa.Table:
        """A piece of a batch; it does not repeat the values of all of it."""
        if self.count == 1:
            return table
        plain = {
            name
            for name in seldom_repeated(table)
            if self._workspace.shared(as_codes(table[name]).dictionary) is None
        }
        return plain_table(table, plain)

    def _table(self) -> SpilledTable:
        # One part is in memory as a whole sooner or later.
        return SpilledTable(self._workspace, stays=self.count == 1)


def _taken(table: pa.Table, order: np.ndarray) -> pa.Table:
    """The rows in an order, which often is the one that they have."""
    if np.array_equal(order, np.arange(len(order))):
        return table
    return table.take(pa.array(order))
