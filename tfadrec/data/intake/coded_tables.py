"""Tables whose ids may be coded: texts that are looked at once in a batch.

Codes are those of one batch. A column may have them in one batch and its values
in another one.
"""

import base64
import pathlib
from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfadrec.data.columns import as_codes, is_same, without_codes

_IDS = {"request_id", "user_id", "ad_id", "event_type"}


def with_codes(table: pa.Table) -> pa.Table:
    """The table with its ids coded."""
    for name in _IDS.intersection(table.column_names):
        place = table.column_names.index(name)
        table = table.set_column(place, name, as_codes(table[name]))
    return table


def plain_schema(
    schema: pa.Schema, names: Collection[str] | None = None
) -> pa.Schema:
    """Names and types as `plain_table` makes them."""
    return pa.schema(
        field.with_type(field.type.value_type)
        if _is_coded(field) and (names is None or field.name in names)
        else field
        for field in schema
    )


def plain_table(
    table: pa.Table, names: Collection[str] | None = None
) -> pa.Table:
    """The table with each row's value in its place, in some columns or all."""
    for place, field in enumerate(table.schema):
        if _is_coded(field) and (names is None or field.name in names):
            values = without_codes(table[field.name])
            table = table.set_column(place, field.name, values)
    return table


def like(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table, of which those columns are coded that a schema has coded."""
    plain = {field.name for field in schema if not _is_coded(field)}
    for place, field in enumerate(schema):
        if _is_coded(field):
            codes = as_codes(table[field.name])
            table = table.set_column(place, field.name, codes)
    return plain_table(table, plain)


def open_coded(path: pathlib.Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A file for tables of a schema; it tells of values, not of their codes.

    Parquet has codes of its own, so those of a table are not made again. Of
    coded columns there are no smallest and largest values, which took three
    times as long as all else and tell nothing of ids.

    Raises:
      OSError: where the file cannot be made.
    """
    others = [field.name for field in schema if not _is_coded(field)]
    writer = pq.ParquetWriter(
        path, schema, store_schema=False, write_statistics=others
    )
    # As Arrow itself notes the types of columns, those of a reader.
    noted = base64.b64encode(plain_schema(schema).serialize()).decode()
    writer.add_key_value_metadata({"ARROW:schema": noted})
    return writer


def size_of(table: pa.Table) -> int:
    """The bytes of a table's values; of coded ones about as many."""
    size = 0
    for field in table.schema:
        column = table[field.name]
        if _is_coded(field):
            values = as_codes(column).dictionary
            size += values.nbytes * len(table) // max(1, len(values))
        else:
            size += column.nbytes
    return size


def seldom_repeated(table: pa.Table) -> set[str]:
    """The coded columns whose codes do not pay."""
    return {
        field.name
        for field in table.schema
        if _is_coded(field)
        and 2 * len(as_codes(table[field.name]).dictionary) > len(table)
    }


def joined(tables: Iterable[pa.Table]) -> pa.Table:
    """The rows of several tables; columns are coded where all of them are."""
    tables = list(tables)
    plain = {f.name for t in tables for f in t.schema if not _is_coded(f)}
    if len(tables) > 1:
        tables = [plain_table(table, plain) for table in tables]
    table = pa.concat_tables(tables)
    for place, field in enumerate(table.schema):
        if _is_coded(field):
            column = _with_one_dictionary(table[field.name])
            table = table.set_column(place, field.name, column)
    return table.combine_chunks()


def _with_one_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    chunks = column.chunks
    if all(is_same(c.dictionary, chunks[0].dictionary) for c in chunks):
        return column
    return column.unify_dictionaries()


def compact(table: pa.Table) -> pa.Table:
    """The table, whose coded columns know no values that no row has."""
    for place, field in enumerate(table.schema):
        if _is_coded(field):
            coded = as_codes(table[field.name])
            codes, values = coded.indices.to_numpy(), coded.dictionary
            # Of all users a part has those of a range.
            first = int(codes.min()) if len(codes) else 0
            values = values.slice(first, int(codes.max(initial=-1)) + 1 - first)
            codes = codes - np.int32(first)
            has_rows = np.zeros(len(values), bool)
            has_rows[codes] = True
            if not has_rows.all():
                codes = (np.cumsum(has_rows, dtype=np.int32) - 1)[codes]
                values = values.filter(pa.array(has_rows))
            if len(values) < len(coded.dictionary):
                coded = pa.DictionaryArray.from_arrays(codes, values)
                table = table.set_column(place, field.name, coded)
    return table


def _is_coded(field: pa.Field) -> bool:
    return pa.types.is_dictionary(field.type)
