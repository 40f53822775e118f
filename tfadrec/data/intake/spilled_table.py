"""A table that may be larger than memory."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from tfadrec.data.columns import without_codes
from tfadrec.data.intake import limits
from tfadrec.data.intake.coded_tables import (
    joined,
    plain_schema,
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
        self.nbytes = self._rows = 0
        self._workspace, self._stays = workspace, stays
        self._schema: pa.Schema | None = None
        self._held: list[pa.Table] = []
        self._file: pa.OSFile | None = None
        self._reader: pa.OSFile | None = None
        #: For each batch of the file, where its columns are.
        self._places: list[dict[str, _Place]] = []

    @classmethod
    def of(cls, table: pa.Table, workspace: Workspace) -> "SpilledTable":
        """A table that is in memory already, as one batch that stays there."""
        found = cls(workspace, stays=True)
        found.append(table)
        return found

    def __len__(self) -> int:
        return self._rows

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

    def set_column(self, name: str, columns: Iterable[pa.Array]) -> None:
        """Puts other values in the place of a column's, of the same type.

        Args:
          name: of the column.
          columns: the values for each batch; a batch may be read until then.

        Raises:
          OSError: where the file cannot be written.
        """
        at = self.schema.get_field_index(name)
        for number, column in enumerate(columns):
            if self._file is None:
                table = self._held[number].set_column(at, name, column)
                self._held[number] = table
            else:
                self._places[number][name] = self._put(column)

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
        self._rows += len(table)
        self.nbytes += size_of(table)

    def _write(self, table: pa.Table) -> None:
        """Writes a batch, each column as a message of its own."""
        self._places.append(
            {
                name: self._put(table[name].combine_chunks())
                for name in table.column_names
            }
        )

    def _put(self, column: pa.Array) -> "_Place":
        """Writes a column of a batch; without values that are shared."""
        assert self._file is not None
        begin = self._file.tell()
        coded, values, arrays = False, None, [column]
        if pa.types.is_dictionary(column.type):
            coded, values = True, self._workspace.shared(column.dictionary)
            arrays = [column.indices]
            if values is None:
                arrays.append(column.dictionary)
        for array in arrays:
            batch = pa.record_batch([array], names=["values"])
            self._file.write(batch.serialize())
        return _Place(begin, coded, values)

    def _read(self, number: int, name: str) -> pa.Array:
        assert self._reader is not None
        place = self._places[number][name]
        self._reader.seek(place.begin)
        kind = self.schema.field(name).type
        if not place.coded:
            return _read_array(self._reader, kind)
        codes = _read_array(self._reader, pa.int32())
        values = place.values
        if values is None:
            values = _read_array(self._reader, kind)
        return pa.DictionaryArray.from_arrays(codes, values, safe=False)


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a column of a batch begins in a file.

    Args:
      begin: of its codes, or of its values where it has none.
      coded: whether it has.
      values: those of the codes where they are shared; else they follow.
    """

    begin: int
    coded: bool
    values: pa.Array | None


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
