"""The users of a dataset, and the row of the user of each event."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import as_codes, is_same
from tfadrec.data.encoded.encode_tables import distinct_ids
from tfadrec.data.intake import limits
from tfadrec.data.intake.coded_tables import compact, with_codes
from tfadrec.data.intake.id_hashes import numbers_of
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.workspace import Workspace

#: The last characters of a user's id tell the part.
_CHARACTERS = 16


def ids_in(tables: Iterable[SpilledTable], name: str) -> pa.Array:
    """All ids in a column of some tables, sorted and without repeats."""
    waiting: list[pa.Array] = []
    for ids in _ids_of_runs(tables, name):
        waiting.append(ids)
        if sum(map(len, waiting)) >= limits.LOOK_UP_ROWS + len(waiting[0]):
            waiting = [pc.unique(pa.chunked_array(waiting))]
    return distinct_ids([pa.chunked_array(waiting)])


def values_of(table: SpilledTable, name: str) -> pa.Array:
    """Ids among which all of a column are: those that it is coded by.

    Where its batches are coded by several arrays, they are as from `ids_in`.
    """
    coded = (as_codes(batch[name]) for batch in table.batches([name]))
    values = next(coded).dictionary
    if all(is_same(column.dictionary, values) for column in coded):
        return values
    return ids_in([table], name)


def share_users(
    logs: Sequence[SpilledTable], people: pa.Table | None, workspace: Workspace
) -> pa.Array:
    """Codes the users of logs by one array of all users, which is shared.

    Args:
      logs: have a column `user_id`.
      people: the table of users, where something is known of them.
      workspace: of the logs.

    Returns:
      The ids of all users, sorted.
    """
    tables = list(logs)
    if people is not None:
        tables.append(SpilledTable.of(people.select(["user_id"]), workspace))
    rows = sum(map(len, tables))
    # Users are put together by parts, so that each is looked up among few.
    count = -(-max(1, rows) // limits.LOOK_UP_ROWS)
    parts = Parts(_ids_in_parts(tables, count), count, workspace)
    found: list[pa.Array] = []
    numbers = parts.back(_numbered(parts, found))
    ids = pa.chunked_array(found).combine_chunks()
    order = pc.sort_indices(ids)
    places = np.empty(len(ids), np.int32)
    places[order.to_numpy()] = np.arange(len(ids))
    ids = ids.take(order)
    workspace.share(ids)
    numbered = numbers.batches()
    for log in logs:
        log.set_column("user_id", _coded(log, numbered, places, ids))
    return ids


def users_of(table: pa.Table) -> np.ndarray:
    """The row of each row's user, int32 [n], from 1 on, where users are shared.

    Args:
      table: has a column `user_id`, see `share_users`.
    """
    return as_codes(table["user_id"]).indices.to_numpy() + np.int32(1)


def seen_in(logs: Iterable[SpilledTable], ids: pa.Array) -> pa.Array:
    """The users who have rows.

    Args:
      logs: with users that are shared.
      ids: of all users.
    """
    has_rows = np.zeros(len(ids) + 1, bool)
    for log in logs:
        for batch in log.batches(["user_id"]):
            has_rows[users_of(batch)] = True
    return ids.filter(pa.array(has_rows[1:]))


def parts_by_user(
    logs: Iterable[SpilledTable], known: int, count: int
) -> np.ndarray:
    """A part for each user, so that parts have about equally many rows.

    Args:
      logs: all that are put together, with users that are shared.
      known: how many users there are.
      count: of the parts.

    Returns:
      int16 [known + 1], ascending.
    """
    rows = np.zeros(known + 1, np.int64)
    for log in logs:
        for batch in log.batches(["user_id"]):
            np.add.at(rows, users_of(batch), 1)
    before = np.cumsum(rows) - rows
    parts = (before * count // max(1, rows.sum())).clip(max=count - 1)
    return parts.astype(np.int16)


def _ids_of_runs(
    tables: Iterable[SpilledTable], name: str
) -> Iterator[pa.Array]:
    """The ids of rows, each once in batches that are coded by one array."""
    values, has_rows = None, np.zeros(0, bool)
    for table in tables:
        for batch in table.batches([name]):
            coded = as_codes(batch[name])
            if values is None or not is_same(values, coded.dictionary):
                if values is not None:
                    yield values.filter(pa.array(has_rows))
                values = coded.dictionary
                has_rows = np.zeros(len(values), bool)
            has_rows[coded.indices.to_numpy()] = True
    if values is not None:
        yield values.filter(pa.array(has_rows))


def _users_in(log: SpilledTable) -> Iterator[pa.DictionaryArray]:
    """The users of each batch, coded by those that have rows in it."""
    for batch in log.batches(["user_id"]):
        yield as_codes(compact(with_codes(batch))["user_id"])


def _ids_in_parts(
    tables: Iterable[SpilledTable], count: int
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """The users of each batch, each once, and the number of a part for each."""
    for table in tables:
        for coded in _users_in(table):
            ids = coded.dictionary
            parts = np.zeros(len(ids), np.int16)
            if count > 1:
                numbers = numbers_of(ids, _CHARACTERS)
                parts = (numbers % np.uint64(count)).astype(np.int16)
            yield pa.table({"user_id": ids}), parts


def _numbered(parts: Parts, found: list[pa.Array]) -> Iterator[pa.Table]:
    """A number for each id of each part, from 0 on over all of them.

    Args:
      parts: from `_ids_in_parts`.
      found: takes the ids that have the numbers.
    """
    begin = 0
    for part in range(parts.count):
        coded = as_codes(parts.part(part)["user_id"])
        found.append(coded.dictionary)
        numbers = coded.indices.to_numpy() + np.int32(begin)
        yield pa.table({"number": numbers})
        begin += len(coded.dictionary)


def _coded(
    log: SpilledTable,
    numbered: Iterator[pa.Table],
    places: np.ndarray,
    ids: pa.Array,
) -> Iterator[pa.DictionaryArray]:
    """The users of each batch by their places among all of them.

    Args:
      log: has a column `user_id`.
      numbered: the numbers of the users of each batch, see `_numbered`.
      places: int32 [U], the place of each number.
      ids: [U] in the order of their places.
    """
    for coded in _users_in(log):
        here = places[array_of(next(numbered), "number")]
        yield pa.DictionaryArray.from_arrays(
            here[coded.indices.to_numpy()], ids, safe=False
        )
