"""Whether the impressions of a table source have histories."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import as_codes, chunks_of, rows_of
from tfadrec.data.intake import limits
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.spilled_table import SpilledTable, array_of

#: Impressions that are looked at first.
_SAMPLED = 1000
#: Before all times.
_NEVER = np.iinfo(np.int64).min


def note_no_histories(
    impressions: SpilledTable,
    events: SpilledTable | None,
    histories: SpilledTable | None,
    ledger: Ledger,
) -> None:
    """Tells where no impression has a history, though there should be some.

    Args:
      impressions: `user_id`, `timestamp`.
      events: the same, or None for no event log.
      histories: `ads`, as they came with the impressions, or None.
      ledger: is told.
    """
    if histories is not None:
        if not any(map(_any_entry, chunks_of(histories["ads"]))):
            ledger.note("all histories are empty")
    elif events is not None and not _any_earlier(impressions, events):
        ledger.note_whole(
            "no impression has a history: no event comes before an impression "
            "of its user; compare user ids and times"
        )


def _any_entry(lists: pa.Array) -> bool:
    return bool(pc.sum(pc.list_value_length(lists)).as_py())


def _any_earlier(impressions: SpilledTable, events: SpilledTable) -> bool:
    """Whether an event comes before an impression of its user."""
    columns = ["user_id", "timestamp"]
    # A few impressions mostly tell it.
    for every in (max(1, len(impressions) // _SAMPLED), 1):
        last = _latest(
            batch.take(np.arange(0, len(batch), every))
            for batch in impressions.batches(columns)
        )
        users = last["user_id"].combine_chunks()
        latest = np.append(_NEVER, array_of(last, "timestamp"))
        for batch in events.batches(columns):
            at = rows_of(batch["user_id"], users)
            if (array_of(batch, "timestamp") < latest[at]).any():
                return True
    return False


def _latest(batches: Iterable[pa.Table]) -> pa.Table:
    """The users, and the latest `timestamp` of each."""
    found: list[pa.Table] = []
    for batch in batches:
        found.append(_last_of_users(batch))
        if sum(map(len, found)) > limits.LOOK_UP_ROWS + len(found[0]):
            found = [_last_of_users(pa.concat_tables(found))]
    return _last_of_users(pa.concat_tables(found))


def _last_of_users(table: pa.Table) -> pa.Table:
    users = as_codes(table["user_id"])
    latest = np.full(len(users.dictionary), _NEVER)
    np.maximum.at(
        latest, users.indices.to_numpy(), array_of(table, "timestamp")
    )
    last = pa.table({"user_id": users.dictionary, "timestamp": latest})
    return last.filter(pa.array(latest > _NEVER))
