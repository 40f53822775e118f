"""A table that may be larger than memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tfadrec.data.columns import without_codes
from tfadrec.data.intake import limits
from tfadrec.data.intake.coded_tables import (
    joined,
    plain_schema,
    plain_table,
    seldom_repeated,
    size_of,
)
from tfadrec.data.intake.workspace import Workspace


class SpilledTable:
    """A table in batches, which move to a file when they become many.

    Up to `limits.BATCH_ROWS` rows of `limits.BATCH_BYTES` stay in memory. Of a
    file one batch is in memory at a time, and only those of its columns that
    are asked for.

    Args:
      workspace: where the file is made.
      stays: whether all rows are known to fit into memory, so that no file is
        made.

    Attributes:
      lengths: the number of rows of each batch.
      nbytes: of all batches' values, about.
    """

    def __init__(self, workspace: Workspace, *, stays: bool = False) -> None:
        self.lengths: list[int] = []
        self.nbytes = 0
        self._workspace, self._stays = workspace, stays
        self._schema: pa.Schema | None = None
        self._held: list[pa.Table] = []
        self._file: pa.OSFile | None = None
        self._reader: pa.OSFile | None = None
        #: For each batch of the file, where its columns begin, and whether a
        #: column's codes are followed by the values.
        self._places: list[list[tuple[int, bool]]] = []

    @classmethod
    def of(cls, table: pa.Table, workspace: Workspace) -> "SpilledTable":
        """A table that is in memory already, as one batch that stays there."""
        found = cls(workspace, stays=True)
        found.append(table)
        return found

    def __len__(self) -> int:
        return sum(self.lengths)

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns; there must be a batch."""
        assert self._schema is not None
        return self._schema

    @property
    def column_names(self) -> list[str]:
        """The columns' names."""
        return self.schema.names

    def append(self, table: pa.Table) -> None:
        """Adds a batch, whose columns are those of the batches before.

        Raises:
          OSError: where the file cannot be written.
        """
        self._add(table)
        is_small = (
            len(self) <= limits.BATCH_ROWS and self.nbytes <= limits.BATCH_BYTES
        )
        if self._stays or (self._file is None and is_small):
            self._held.append(table)
            return
        if self._file is None:
            path = self._workspace.file()
            self._file = pa.OSFile(str(path), "wb")
            self._reader = pa.OSFile(str(path), "rb")
            # What is open needs no name, and its room is free once it is not.
            path.unlink()
            for held in self._held:
                self._write(held)
            self._held = []
        self._write(table)

    def batch(
        self, number: int, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """One batch, or some of its columns."""
        if self._reader is None:
            table = self._held[number]
            return table if columns is None else table.select(columns)
        names = self.column_names if columns is None else columns
        return pa.table({name: self._read(number, name) for name in names})

    def batches(
        self, columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """All batches, or some of their columns."""
        for number in range(len(self.lengths)):
            yield self.batch(number, columns)

    def __getitem__(self, name: str) -> "_Column":
        """A column, which is read batch by batch."""
        return _Column(self, name)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows, in memory."""
        return joined(self.batches(columns))

    def _add(self, table: pa.Table) -> None:
        schema = plain_schema(table.schema)
        if self._schema is None:
            self._schema = schema
        elif not self._schema.equals(schema):
            raise TypeError(
                f"batches of one table must have one schema. Received: "
                f"{schema} after {self._schema}."
            )
        self.lengths.append(len(table))
        self.nbytes += size_of(table)

    def _write(self, table: pa.Table) -> None:
        """Writes a batch, each column as a message of its own."""
        assert self._file is not None
        places = []
        table = plain_table(table, seldom_repeated(table))
        for name in table.column_names:
            column = table[name].combine_chunks()
            coded = pa.types.is_dictionary(column.type)
            places.append((self._file.tell(), coded))
            for values in (
                (column.indices, column.dictionary) if coded else (column,)
            ):
                batch = pa.record_batch([values], names=[name])
                self._file.write(batch.serialize())
        self._places.append(places)

    def _read(self, number: int, name: str) -> pa.Array:
        assert self._reader is not None
        at = self.schema.get_field_index(name)
        place, coded = self._places[number][at]
        self._reader.seek(place)
        kind = self.schema.field(at).type
        if not coded:
            return _read_array(self._reader, kind)
        codes = _read_array(self._reader, pa.int32())
        values = _read_array(self._reader, kind)
        return pa.DictionaryArray.from_arrays(codes, values)


class _Column:
    """A column of a spilled table, as far as it is like one of Arrow."""

    def __init__(self, table: SpilledTable, name: str) -> None:
        self._table, self._name = table, name
        self.type = table.schema.field(name).type

    def iterchunks(self) -> Iterator[pa.Array]:
        """Its values, at least once some."""
        for batch in self._table.batches([self._name]):
            yield without_codes(batch[self._name])


def _read_array(file: pa.OSFile, kind: pa.DataType) -> pa.Array:
    message = pa.ipc.read_message(file)
    schema = pa.schema([("values", kind)])
    return pa.ipc.read_record_batch(message, schema).column(0)


def array_of(table: pa.Table, name: str) -> np.ndarray:
    """A numeric column without missing values, in NumPy."""
    return table[name].to_numpy()
