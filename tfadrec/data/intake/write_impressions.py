"""Writing impressions, part by part."""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.encoded.encode_tables import encode_impressions
from tfadrec.data.encoded.encoded import arrays_of_impressions
from tfadrec.data.encoded.repeated_rows import repeated_rows
from tfadrec.data.encoded.request_contexts import other_contexts
from tfadrec.data.intake import limits
from tfadrec.data.intake.ahead import ahead
from tfadrec.data.intake.beside import (
    BEGIN,
    END,
    FIRST,
    SPREAD,
    arrays_of,
    beside,
)
from tfadrec.data.intake.order import even_bounds, order_by
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.place import Place
from tfadrec.data.intake.request_numbers import RequestNumbers
from tfadrec.data.intake.request_rows import with_request_ids
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.table_file import TableFile
from tfadrec.data.intake.user_rows import users_of
from tfadrec.data.intake.written import Written

_LOG = logging.getLogger(__name__)


def write_impressions(
    place: Place,
    impressions: SpilledTable,
    requests: SpilledTable,
    slices: SpilledTable,
) -> Written:
    """Writes the impressions, by time and by the order of their requests.

    Args:
      place: where.
      impressions: the impressions, with users that are shared.
      requests: see `request_rows`.
      slices: as from `EventParts.write`.
    """
    context = {f.name: f.tensors for f in place.schema.of("context")}
    found = Written()
    count = limits.parts_of(len(impressions), impressions.nbytes)
    part_of = _by_time(impressions, requests, count)

    def dealt() -> Iterator[tuple[pa.Table, np.ndarray]]:
        for batch, *known in zip(
            impressions.batches(),
            requests.batches(["first", "spread"]),
            slices.batches(),
            strict=True,
        ):
            table = beside(batch, *known)
            yield table, part_of(*arrays_of(table, "timestamp", FIRST))

    parts = Parts(dealt(), count, place.workspace)
    numbers = RequestNumbers(len(impressions), place.workspace)
    splits = _split_type(impressions)
    with TableFile(place, "impressions") as file:
        for number, table in enumerate(ahead(_in_order(parts)), 1):
            _LOG.info("Writing impressions, part %d of %d", number, count)
            first, spread, begins, ends = arrays_of(
                table, FIRST, SPREAD, BEGIN, END
            )
            shown = encode_impressions(
                file.write(table),
                place.schema,
                place.ad_ids,
                requests=numbers.of(first, spread),
                users=users_of(table),
                history_starts=begins,
                history_ends=ends,
                split_type=splits,
            )
            found.repeated += repeated_rows(shown)
            found.other_contexts.update(other_contexts(shown, context))
            place.writer.append(arrays_of_impressions(shown))
    found.requests = numbers.count
    return found


def _in_order(parts: Parts) -> Iterator[pa.Table]:
    """The rows of each part, by time and request."""
    for number in range(parts.count):
        table = parts.part(number)
        order = order_by(*arrays_of(table, "timestamp", FIRST))
        yield with_request_ids(table.take(order))


def _by_time(
    impressions: SpilledTable, requests: SpilledTable, count: int
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The part of each row, of its time and its request's first row.

    Rows of one request and time are in one part, and later ones in later parts.
    """
    low, high = _range(impressions)
    rows = len(impressions)
    # Where that would be too large, times have to do, as a log of thousands of
    # years has enough of them.
    has_room = (high - low + 1) * rows < 2**63

    def key(times: np.ndarray, first: np.ndarray) -> np.ndarray:
        return (times - low) * rows + first if has_room else times

    def keys() -> Iterator[np.ndarray]:
        for times, first in zip(
            impressions.batches(["timestamp"]),
            requests.batches(["first"]),
            strict=True,
        ):
            yield key(array_of(times, "timestamp"), array_of(first, "first"))

    bounds = even_bounds(keys(), count)
    return lambda times, first: np.searchsorted(
        bounds, key(times, first), side="right"
    )


def _range(impressions: SpilledTable) -> tuple[int, int]:
    """The first and the last time."""
    ends = [
        pc.min_max(batch["timestamp"]).as_py()
        for batch in impressions.batches(["timestamp"])
        if len(batch)
    ]
    return min(e["min"] for e in ends), max(e["max"] for e in ends)


def _split_type(impressions: SpilledTable) -> np.dtype:
    """Of an array that holds every split; all arrays of it are as wide."""
    found = {""}
    if "split" in impressions.column_names:
        for batch in impressions.batches(["split"]):
            found |= set(pc.unique(batch["split"]).to_pylist())
    return np.array(sorted(found)).dtype
