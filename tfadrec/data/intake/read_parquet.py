"""Reading Parquet files, whose columns have types of their own."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from tfadrec.data.columns import is_list
from tfadrec.data.intake import limits
from tfadrec.data.intake.file_checks import (
    NOT_UTF8,
    empty_file,
    require_columns,
)
from tfadrec.data.intake.parquet_piece import ParquetPiece
from tfadrec.data.intake.raw_rows import RawRows

#: Rows that are decoded together.
_SCANNED_ROWS = 1 << 17


def read_parquet(
    filesystem: pyarrow.fs.FileSystem,
    inner: str,
    name: str,
    unit: str,
    columns: Sequence[str],
    size: int | None = None,
    piece: ParquetPiece | None = None,
) -> Iterator[RawRows]:
    """Reads a Parquet file, or a folder of them, in batches.

    Bytes are text, and rows in which they are not UTF-8 are refused. UUIDs are
    their usual text. Other columns have their own type.

    Args:
      filesystem: where the file is.
      inner: its path there.
      name: what to call it in messages.
      unit: what one row is, in the plural.
      columns: the columns wanted, all where there are none.
      size: of a batch, about; None for all rows in one.
      piece: what is read of the file; None for all of it.

    Raises:
      InputError: where the file is empty or lacks a column.
    """
    wanted = list(dict.fromkeys(columns)) or None
    dataset = pq.ParquetDataset(inner, filesystem=filesystem)
    require_columns(name, dataset.schema.names, columns)
    if size is None:
        tables = iter([dataset.read(columns=wanted)])
    else:
        tables = _batches(dataset, wanted, size, piece)
    begin = 1 if piece is None else 1 + piece.rows
    for table in tables:
        yield _rows(table, name, unit, begin)
        begin += len(table)
    if begin == 1:
        raise empty_file(name, unit)


def pieces_of_parquet(
    filesystem: pyarrow.fs.FileSystem, inner: str, size: int
) -> Iterator[ParquetPiece]:
    """Cuts a Parquet file, or a folder of them, by the groups of its rows.

    Args:
      filesystem: where the file is.
      inner: its path there.
      size: rows of a piece, about; a group of more is one.
    """
    dataset = pq.ParquetDataset(inner, filesystem=filesystem)
    before = 0
    for number, fragment in enumerate(dataset.fragments):
        groups: list[int] = []
        rows = 0
        for group in fragment.row_groups:
            if groups and rows + group.num_rows > size:
                yield ParquetPiece(number, tuple(groups), before)
                before += rows
                groups, rows = [], 0
            groups.append(group.id)
            rows += group.num_rows
        if groups:
            yield ParquetPiece(number, tuple(groups), before)
        before += rows


def _batches(
    dataset: pq.ParquetDataset,
    columns: Sequence[str] | None,
    size: int,
    piece: ParquetPiece | None,
) -> Iterator[pa.Table]:
    """All rows, in batches of about so many; one file is read at a time."""
    waiting: list[pa.RecordBatch] = []
    rows = room = 0
    fragments = dataset.fragments
    if piece is not None:
        whole = fragments[piece.file]
        fragments = [whole.subset(row_group_ids=list(piece.groups))]
    for fragment in fragments:
        for batch in fragment.to_batches(
            schema=dataset.schema,
            columns=columns,
            batch_size=min(size, _SCANNED_ROWS),
            batch_readahead=1,
            fragment_readahead=1,
        ):
            waiting.append(batch)
            rows += len(batch)
            room += batch.nbytes
            if rows >= size or room >= limits.BATCH_BYTES:
                yield pa.Table.from_batches(waiting)
                waiting = []
                rows = room = 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _rows(table: pa.Table, name: str, unit: str, begin: int) -> RawRows:
    """Rows with texts for bytes, of which those that are broken are refused."""
    broken = np.zeros(len(table), bool)
    for place, field in enumerate(table.schema):
        column = _stored(table[field.name])
        if pa.types.is_nested(column.type):
            column, bad = _nested(column)
        else:
            column, bad = _text_of_bytes(column)
        broken |= bad
        table = table.set_column(place, field.name, column)
    lines = np.arange(begin, begin + len(table))
    rows = RawRows(name, unit, table, lines)
    rows.refuse(broken, NOT_UTF8)
    return rows


def _stored(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without the dictionary or the extension around its values."""
    if isinstance(column.type, pa.UuidType):
        texts = [None if v is None else str(v) for v in column.to_pylist()]
        return pa.chunked_array([texts], pa.string())
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column


def _text_of_bytes(
    column: pa.ChunkedArray,
) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Texts and bytes as texts, and where they are broken."""
    broken = np.zeros(len(column), bool)
    if _text_type(column.type) == column.type and not (
        pa.types.is_string(column.type)
    ):
        return column, broken
    # A cast from bytes checks the text, one from text does not.
    column = column.cast(pa.binary())
    try:
        return column.cast(pa.string()), broken
    except pa.ArrowInvalid:
        texts: list[str | None] = []
        for row, value in enumerate(column.to_pylist()):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError:
                broken[row] = True
                texts.append(value.decode(errors="replace"))
        return pa.chunked_array([texts], pa.string()), broken


def _nested(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Lists and maps of texts, null where they are broken, and where that is.

    Those of bytes are read as those of texts.
    """
    broken = np.zeros(len(column), bool)
    kind = _text_type(column.type)

    def read(values: pa.ChunkedArray) -> pa.ChunkedArray:
        values = values.combine_chunks()
        values = values if values.type == kind else values.cast(kind)
        values.validate(full=True)
        return values

    try:
        return pa.chunked_array([read(column)]), broken
    except pa.ArrowNotImplementedError:
        # Maps of bytes, for one: whoever reads them says that they are none.
        return column, broken
    except pa.ArrowInvalid:
        for row in range(len(column)):
            try:
                read(column.slice(row, 1))
            except pa.ArrowInvalid:
                broken[row] = True
    rows = pa.array(np.arange(len(column)), mask=broken)
    return pa.chunked_array([read(column.take(rows))]), broken


def _text_type(kind: pa.DataType) -> pa.DataType:
    """A type with texts wherever it has bytes, or texts of another length."""
    if (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary_view(kind)
    ):
        return pa.string()
    if is_list(kind) and _text_type(kind.value_type) != kind.value_type:
        return pa.list_(_text_type(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(_text_type(kind.key_type), _text_type(kind.item_type))
    return kind
