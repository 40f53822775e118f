"""How often each value occurs in a column."""

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.features.fingerprints import fingerprints

#: Distinct values that wait to be put together with those before.
_MOST = 1 << 20
#: Distinct values that are held at a time, some 250 bytes each at the most with
#: texts of ten letters.
MOST_VALUES = 1 << 22

Chunks = Iterable[pa.Array]


def value_counts(chunks: Chunks) -> tuple[pa.Array, pa.Array]:
    """The distinct values of a column in chunks, and their counts, int64.

    They come in the order in which they appear.
    """
    found = _counted(chunks, math.inf)
    assert found is not None
    return found


def counts_in_parts(
    chunks: Callable[[], Chunks],
) -> Iterator[tuple[pa.Array, pa.Array]]:
    """The distinct values of texts in chunks, and their counts, int64.

    They come in parts of at most `MOST_VALUES` values, each value in one of
    them, and its count is exact. A column with no more values is one part, as
    of `value_counts`; one with more is read once for each part: a value's part
    is the remainder of its fingerprint. So the memory that is taken does not
    grow with the values, and neither the order of rows nor how they are cut
    into chunks changes what is found.

    Args:
      chunks: gives the column from the beginning at each call.
    """
    parts, pending = 1, [0]
    while pending:
        part = pending.pop()
        found = _counted(_in_part(chunks(), part, parts), MOST_VALUES)
        if found is not None:
            yield found
            continue
        # These were too many: all parts that are left become two each.
        left = [*pending, part]
        pending = [*left, *(one + parts for one in left)]
        parts *= 2


def _in_part(chunks: Chunks, part: int, parts: int) -> Iterator[pa.Array]:
    """Some of the texts at a time, of one part alone."""
    for chunk in chunks:
        for begin in range(0, len(chunk), _MOST):
            texts = chunk.slice(begin, _MOST)
            if parts > 1:
                texts = texts.drop_null()
                of_text = fingerprints(texts) % np.uint64(parts)
                texts = texts.filter(pa.array(of_text == part))
            yield texts


def _counted(chunks: Chunks, most: float) -> tuple[pa.Array, pa.Array] | None:
    """Values and counts; None where there are more values."""
    found: list[pa.Table] = []
    for chunk in chunks:
        counts = pc.value_counts(chunk)
        columns = [counts.field("values"), counts.field("counts")]
        found.append(pa.table(columns, names=["value", "count"]))
        if sum(map(len, found)) > _MOST + len(found[0]):
            found = [_merged(found)]
            if len(found[0]) > most:
                return None
    if not found:
        return pa.array([], pa.string()), pa.array([], pa.int64())
    merged = _merged(found)
    if len(merged) > most:
        return None
    values, number = (merged[n].combine_chunks() for n in ("value", "count"))
    return values, number


def _merged(tables: list[pa.Table]) -> pa.Table:
    if len(tables) == 1:
        return tables[0]
    # One thread keeps the order.
    groups = pa.concat_tables(tables).group_by("value", use_threads=False)
    return groups.aggregate([("count", "sum")]).rename_columns(
        ["value", "count"]
    )
