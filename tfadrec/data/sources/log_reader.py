"""Putting a log together of its batches."""

import pyarrow as pa

from tfadrec.data.intake.feature_parser import FeatureParser
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.settlement import Settlement
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.checked import Checked
from tfadrec.data.sources.table_spec import TableSpec


class LogReader:
    """Puts the log of a section together, and keeps the books of its rows.

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
        self._settlement = Settlement(spec.file, unit or where)
        self._parser = FeatureParser(spec.features)
        self._kept = SpilledTable(workspace)

    @property
    def kept(self) -> int:
        """How many rows are kept so far."""
        return self._settlement.kept

    def add(self, checked: Checked) -> None:
        """Books the rows of the next batch."""
        self._settlement.merge(checked.settlement)
        self._parser.merge(checked.features)

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
            needed=self._spec.needed,
            max_rejected=self._spec.max_rejected,
            allow=f"{self._where}.max_rejected",
        )
        return self._kept
