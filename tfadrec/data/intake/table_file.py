"""The file of a table of a dataset."""

import pyarrow as pa
import pyarrow.parquet as pq

from tfadrec.data.intake.beside import HELPER
from tfadrec.data.intake.feature_columns import named_columns
from tfadrec.data.intake.place import Place


class TableFile:
    """A table of a dataset, which is written part by part.

    Args:
      place: where.
      name: of the table.
    """

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._path = place.folder / f"{name}.parquet"
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pa.Table) -> pa.Table:
        """Writes rows, and gives them with the names of the dataset."""
        names = [n for n in table.column_names if not n.startswith(HELPER)]
        named = named_columns(table.select(names), self._place.schema)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, named.schema)
        self._writer.write_table(named)
        return named
