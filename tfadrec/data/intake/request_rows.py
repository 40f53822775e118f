"""The requests of impressions, as far as they look at more than one row."""

import numpy as np
import pyarrow as pa

from tfadrec.data.columns import as_codes, without_codes
from tfadrec.data.features import as_of
from tfadrec.data.intake import limits
from tfadrec.data.intake.id_hashes import hashes_of
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.workspace import Workspace

#: The last characters of a request's id tell its part.
_CHARACTERS = 8


def request_rows(
    impressions: SpilledTable, workspace: Workspace
) -> SpilledTable:
    """What is known of the request of each row.

    Requests are put together by parts of their ids, each of which is in memory
    at a time.

    Args:
      impressions: request_id and timestamp.
      workspace: where files are made.

    Returns:
      A table with the batches of the impressions: `first`, int64, the number of
      the request's first row, by which requests can be told apart; `last`,
      int64, the time when it was over; and `spread`, whether its rows have
      different times.
    """
    columns = ["request_id", "timestamp"]
    size = impressions.nbytes // max(1, len(impressions.column_names))
    count = limits.parts_of(len(impressions), 2 * size)

    def numbered():
        begin = 0
        for table in impressions.batches(columns):
            rows = np.arange(begin, begin + len(table))
            numbers = np.zeros(len(table), np.int64)
            if count > 1:
                ids = without_codes(table["request_id"])
                numbers = (hashes_of(ids, _CHARACTERS) % count).astype(int)
            yield table.append_column("row", pa.array(rows)), numbers
            begin += len(table)

    parts = Parts(numbered(), count, workspace)
    return parts.back(_of_part(parts.part(p)) for p in range(count))


def _of_part(table: pa.Table) -> pa.Table:
    ids = as_codes(table["request_id"])
    codes = ids.indices.to_numpy()
    rows, times = array_of(table, "row"), array_of(table, "timestamp")
    first = np.empty(len(ids.dictionary), np.int64)
    # Of several rows the one that is written last stays: the first one.
    first[codes[::-1]] = rows[::-1]
    last = as_of.known_at(codes, times)
    spread = np.zeros(len(first), bool)
    spread[codes[last != times]] = True
    return pa.table(
        {"first": first[codes], "last": last, "spread": spread[codes]}
    )
