"""How often each value occurs in a column."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

#: Distinct values that wait to be put together with those before.
_MOST = 1 << 20


def value_counts(chunks: Iterable[pa.Array]) -> tuple[pa.Array, pa.Array]:
    """The distinct values of a column in chunks, and their counts, int64.

    They come in the order in which they appear.
    """
    found: list[pa.Table] = []
    for chunk in chunks:
        counts = pc.value_counts(chunk)
        columns = [counts.field("values"), counts.field("counts")]
        found.append(pa.table(columns, names=["value", "count"]))
        if sum(map(len, found)) > _MOST + len(found[0]):
            found = [_merged(found)]
    if not found:
        return pa.array([], pa.string()), pa.array([], pa.int64())
    merged = _merged(found)
    return tuple(merged[name].combine_chunks() for name in ("value", "count"))


def _merged(tables: list[pa.Table]) -> pa.Table:
    if len(tables) == 1:
        return tables[0]
    # One thread keeps the order.
    groups = pa.concat_tables(tables).group_by("value", use_threads=False)
    return groups.aggregate([("count", "sum")]).rename_columns(
        ["value", "count"]
    )
