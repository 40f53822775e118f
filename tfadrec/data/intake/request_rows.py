"""The requests of impressions, as far as they look at more than one row."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import as_array, as_codes, without_codes
from tfadrec.data.features import as_of
from tfadrec.data.intake import limits
from tfadrec.data.intake.beside import FIRST
from tfadrec.data.intake.id_hashes import hashes_of
from tfadrec.data.intake.order import order_by
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.user_rows import users_of
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
      impressions: timestamp and request_id, or user_id where requests have no
        ids, see `requests_of`.
      workspace: where files are made.

    Returns:
      A table with the batches of the impressions: `first`, int64, the number of
      the request's first row, by which requests can be told apart; `last`,
      int64, the time when it was over; and `spread`, whether its rows have
      different times.
    """
    has_ids = "request_id" in impressions.column_names
    columns = ["request_id" if has_ids else "user_id", "timestamp"]
    size = impressions.nbytes // max(1, len(impressions.column_names))
    count = limits.parts_of(len(impressions), 2 * size)

    def numbered():
        begin = 0
        for table in impressions.batches(columns):
            rows = np.arange(begin, begin + len(table))
            numbers = np.zeros(len(table), np.int64)
            if not has_ids:
                numbers = users_of(table) % count
            elif count > 1:
                ids = without_codes(table["request_id"])
                numbers = (hashes_of(ids, _CHARACTERS) % count).astype(int)
            yield table.append_column("row", pa.array(rows)), numbers
            begin += len(table)

    parts = Parts(numbered(), count, workspace)
    return parts.back(_of_part(parts.part(p)) for p in range(count))


def requests_of(table: pa.Table) -> np.ndarray:
    """A number for the request of each row, int [n] from 0 on.

    Args:
      table: request_id; or user_id, which is shared, and timestamp: a user's
        rows of one second are a request then.
    """
    if "request_id" in table.column_names:
        return as_codes(table["request_id"]).indices.to_numpy()
    users, times = users_of(table), array_of(table, "timestamp")
    order = order_by(users, times)
    is_new = np.zeros(len(order), np.int64)
    for values in (users[order], times[order]):
        is_new[1:] |= values[1:] != values[:-1]
    codes = np.empty(len(order), np.int64)
    codes[order] = np.cumsum(is_new)
    return codes


def with_request_ids(table: pa.Table) -> pa.Table:
    """The table, with requests named after user and time where they had no ids.

    Args:
      table: user_id, timestamp and the helping column `FIRST`; rows of one
        request stand together.
    """
    if "request_id" in table.column_names:
        return table
    first = array_of(table, FIRST)
    is_new = np.append(True, first[1:] != first[:-1])[: len(first)]
    named = table.select(["user_id", "timestamp"]).filter(pa.array(is_new))
    names = pc.binary_join_element_wise(
        without_codes(named["user_id"]).cast(pa.string()),
        as_array(named["timestamp"]).cast(pa.string()),
        "-",
    )
    places = np.cumsum(is_new, dtype=np.int32) - np.int32(1)
    ids = pa.DictionaryArray.from_arrays(places, names)
    return table.add_column(0, "request_id", ids)


def _of_part(table: pa.Table) -> pa.Table:
    codes = requests_of(table)
    rows, times = array_of(table, "row"), array_of(table, "timestamp")
    first = np.empty(codes.max(initial=-1) + 1, np.int64)
    # Of several rows the one that is written last stays: the first one.
    first[codes[::-1]] = rows[::-1]
    last = as_of.known_at(codes, times)
    spread = np.zeros(len(first), bool)
    spread[codes[last != times]] = True
    return pa.table(
        {"first": first[codes], "last": last, "spread": spread[codes]}
    )
