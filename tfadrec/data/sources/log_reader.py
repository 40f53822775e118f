"""Reading a log of a table source batch by batch."""

import logging
import time
from collections.abc import Iterator, Mapping

import pyarrow as pa

from tfadrec.data.intake import limits
from tfadrec.data.intake.feature_parser import FeatureParser
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.settlement import Settlement
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.table_rows import read_batches
from tfadrec.data.sources.table_spec import TableSpec

_LOG = logging.getLogger(__name__)


class LogReader:
    """Reads the log of a section batch by batch, and checks all of its rows.

    Args:
      spec: the section's file.
      where: what the section is called.
      workspace: where rows go that are many.
      unit: what one row is, in the plural; `where` by default.
    """

    def __init__(
        self,
        spec: TableSpec,
        where: str,
        workspace: Workspace,
        *,
        unit: str = "",
    ) -> None:
        self._spec, self._where = spec, where
        self._unit = unit or where
        self._settlement = Settlement(spec.file, self._unit)
        self._parser = FeatureParser(spec.features)
        self._kept = SpilledTable(workspace)

    def batches(self, *, whole: bool = False) -> Iterator[RawRows]:
        """The rows to check, of which every batch is to be added.

        Args:
          whole: whether all rows are to come together.
        """
        begun, read = time.monotonic(), 0
        size = None if whole else limits.BATCH_ROWS
        for rows in read_batches(self._spec, self._unit, size=size):
            yield rows
            read += len(rows) + rows.left_out
            speed = read / max(time.monotonic() - begun, 1e-3)
            _LOG.info(
                "Reading %s: %s rows, %s rows/s",
                self._spec.file,
                f"{read:,}",
                f"{speed:,.0f}",
            )

    def add(self, rows: RawRows, columns: Mapping[str, pa.Array]) -> pa.Table:
        """The rows of a batch that are kept.

        Args:
          rows: the batch, after all checks.
          columns: of the dataset, [n].
        """
        return pa.table(dict(columns)).filter(self._settlement.add(rows))

    def features(self, rows: RawRows) -> dict[str, pa.Array]:
        """The typed columns of the features; checks of rows come before."""
        return self._parser.parse(rows)

    def keep(self, table: pa.Table) -> None:
        """Adds kept rows to the log."""
        self._kept.append(table)

    def close(self, ledger: Ledger) -> SpilledTable:
        """Books all rows, and gives those that are kept.

        Raises:
          InputError: where more are refused than the section allows, or none
            of a feature's values can be read.
        """
        self._parser.close(ledger)
        self._settlement.close(
            ledger,
            max_rejected=self._spec.max_rejected,
            allow=f"{self._where}.max_rejected",
        )
        return self._kept
