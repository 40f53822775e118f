"""The file of a table of a dataset."""

import concurrent.futures

import pyarrow as pa
import pyarrow.parquet as pq

from tfadrec.data.intake.beside import HELPER
from tfadrec.data.intake.coded_tables import (
    compact,
    like,
    open_coded,
    plain_schema,
    seldom_repeated,
)
from tfadrec.data.intake.feature_columns import named_columns
from tfadrec.data.intake.place import Place


class TableFile:
    """A table of a dataset, which is written part by part, in a thread.

    Args:
      place: where.
      name: of the table.
    """

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._path = place.folder / f"{name}.parquet"
        self._writer: pq.ParquetWriter | None = None
        self._thread = concurrent.futures.ThreadPoolExecutor(1)
        self._writing: concurrent.futures.Future[None] | None = None

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._wait()
        finally:
            self._thread.shutdown()
            if self._writer is not None:
                self._writer.close()

    def write(self, table: pa.Table) -> pa.Table:
        """Writes rows, and gives them with the names of the dataset.

        Raises:
          OSError: where these, or the rows before, cannot be written.
        """
        names = [n for n in table.column_names if not n.startswith(HELPER)]
        named = named_columns(table.select(names), self._place.schema)
        self._wait()
        self._writing = self._thread.submit(self._write, named)
        return named

    def _wait(self) -> None:
        """Waits for the rows that are being written."""
        if self._writing is not None:
            self._writing.result()

    def _write(self, named: pa.Table) -> None:
        compacted = compact(named)
        if self._writer is None:
            plain = seldom_repeated(compacted)
            schema = plain_schema(named.schema, plain)
            self._writer = open_coded(self._path, schema)
        self._writer.write_table(like(compacted, self._writer.schema))
