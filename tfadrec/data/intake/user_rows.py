"""The users of a dataset, and the row of the user of each event."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from tfadrec.data.columns import as_codes, distinct, rows_of
from tfadrec.data.encoded.encode_tables import distinct_ids
from tfadrec.data.intake import limits
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.workspace import Workspace


def ids_in(tables: Iterable[SpilledTable], name: str) -> pa.Array:
    """All ids in a column of some tables, sorted and without repeats."""
    known: pa.Array | None = None
    waiting: list[pa.ChunkedArray] = []
    for table in tables:
        for batch in table.batches([name]):
            waiting.append(pa.chunked_array([distinct(batch[name])]))
            if sum(map(len, waiting)) >= limits.LOOK_UP_ROWS:
                known = _with(known, waiting)
    return _with(known, waiting)


def user_rows(
    table: SpilledTable, user_ids: pa.Array, workspace: Workspace
) -> SpilledTable:
    """The row of each row's user.

    Args:
      table: has a column `user_id`.
      user_ids: of all users.
      workspace: where files are made.

    Returns:
      `user`, int32, from 1 on, in batches as those of the table.
    """
    found = SpilledTable(workspace)
    waiting: list[pa.DictionaryArray] = []
    for number, batch in enumerate(table.batches(["user_id"]), 1):
        waiting.append(as_codes(batch["user_id"]))
        size = sum(map(len, waiting))
        if size >= limits.LOOK_UP_ROWS or number == len(table.lengths):
            ids = pa.chunked_array([coded.dictionary for coded in waiting])
            rows = rows_of(ids, user_ids)
            ends = np.cumsum([len(coded.dictionary) for coded in waiting])
            pieces = np.split(rows, ends[:-1])
            for coded, piece in zip(waiting, pieces, strict=True):
                codes = coded.indices.to_numpy()
                found.append(pa.table({"user": piece[codes]}))
            waiting = []
    return found


def parts_by_user(
    users: Iterable[SpilledTable], known: int, count: int
) -> np.ndarray:
    """A part for each user, so that parts have about equally many rows.

    Args:
      users: as from `user_rows`, of all tables that are put together.
      known: how many users there are.
      count: of the parts.

    Returns:
      int16 [known + 1], ascending.
    """
    rows = np.zeros(known + 1, np.int64)
    for table in users:
        for batch in table.batches():
            rows += np.bincount(array_of(batch, "user"), minlength=known + 1)
    before = np.cumsum(rows) - rows
    return (before * count // max(1, rows.sum())).clip(max=count - 1)


def _with(known: pa.Array | None, waiting: list[pa.ChunkedArray]) -> pa.Array:
    """The known ids and new ones, which are waited for no longer."""
    columns = list(waiting)
    if known is not None:
        columns.append(pa.chunked_array([known]))
    waiting.clear()
    return distinct_ids(columns)
