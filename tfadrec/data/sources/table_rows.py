"""The rows of a table source's files, and what those of all logs have."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from tfadrec.core.schema import IdType
from tfadrec.data.intake import checks, read_table
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.read_table import Piece
from tfadrec.data.sources.table_spec import TableConfig, TableSpec

#: The column of a time that all rows have; no file has a column of that name.
_CONSTANT = "\0time"


def read_batches(
    spec: TableSpec, unit: str, *, size: int | None, piece: Piece | None = None
) -> Iterator[RawRows]:
    """The rows of a file that are wanted.

    Args:
      spec: the file, and which rows are.
      unit: what one row is, in the plural.
      size: of a batch, about; None for all rows in one.
      piece: of the file; None for all of it.

    Raises:
      InputError: where the file cannot be read or lacks a column.
    """
    batches = read_table.read_batches(
        size=size, piece=piece, **_described(spec, unit)
    )
    for rows in batches:
        rows.decimal = spec.decimal
        for condition in spec.where:
            rows.leave_out(~condition.wanted(rows), condition.column)
        yield rows


def pieces_of(
    spec: TableSpec, unit: str, *, rows: int, room: int
) -> Iterator[Piece | None]:
    """The pieces of a file, see `read_table.pieces_of`."""
    return read_table.pieces_of(rows=rows, room=room, **_described(spec, unit))


def _described(spec: TableSpec, unit: str) -> dict[str, Any]:
    """What the reader of a file is told."""
    return {
        "path": spec.path,
        "unit": unit,
        "columns": spec.header or spec.wanted(),
        "name": spec.file,
        "delimiter": spec.delimiter,
        "header": not spec.header,
        "quoting": spec.quoting,
        "encoding": spec.encoding,
    }


def repeated(value: str, rows: RawRows) -> pa.Array:
    """One text for each row."""
    return pa.array([value]).take(pa.array(np.zeros(len(rows), np.int64)))


def log_columns(
    rows: RawRows, spec: TableSpec, settings: TableConfig, catalogue: pa.Array
) -> dict[str, pa.Array]:
    """The user, the ad and the time of each row, ids coded.

    Rows on ads that are not in `catalogue` are refused.
    """
    named = spec.columns
    user_type: IdType = settings.user_id_type
    user = checks.coded_ids(rows, named["user_id"].column, user_type)
    ad = checks.coded_ids(rows, named["ad_id"].column, settings.ad_id_type)
    time = named["timestamp"]
    if time.constant is not None:
        rows.table = rows.table.append_column(
            _CONSTANT, repeated(time.constant, rows)
        )
    seconds = checks.timestamps(
        rows,
        time.column or _CONSTANT,
        time.format,
        time.timezone,
        "s" if time.constant is not None else time.unit,
    )
    if time.constant is not None:
        rows.table = rows.table.drop_columns([_CONSTANT])
    known = checks.known_ads(rows, ad, catalogue)
    return {"user_id": user, "ad_id": known, "timestamp": seconds}
