"""The histories that come along with the impressions of a table source."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import (
    as_codes,
    as_lists,
    filter_lists,
    list_parents,
    rows_of,
)
from tfadrec.data.intake import checks, limits
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.sources.table_spec import ColumnSpec, TableConfig

#: Impressions that are looked at first.
_SAMPLED = 1000
#: Before all times.
_NEVER = np.iinfo(np.int64).min


def read_histories(
    rows: RawRows, settings: TableConfig, catalogue: pa.Array, ledger: Ledger
) -> pa.Table:
    """The history of each row, without the ads that are unknown.

    Rows whose lists of ads and of types differ in length are refused; so this
    comes before the rows are settled.

    Returns:
      `ads`, and `types` where they are told, one row for each row that is
      kept.

    Raises:
      InputError: where a column cannot be read as lists, or too many entries
        are refused.
    """
    spec = settings.impressions.columns["history"]
    lists, types = _lists(rows, spec)
    kept_rows = pa.array(rows.kept)
    lists = lists.filter(kept_rows)
    parents = np.flatnonzero(rows.kept)[list_parents(lists)]
    columns = {"entry": lists.flatten()}
    if types is not None:
        columns["type"] = types.filter(kept_rows).flatten()
    entries = RawRows(
        rows.source, "history entries", pa.table(columns), rows.lines[parents]
    )
    if spec.type_separator:
        columns |= _parts(columns["entry"], spec.type_separator)
        shown = entries.table.append_column("ad", columns["ad"])
        entries.table = shown.append_column("type", columns["type"])
    ad = "ad" if spec.type_separator else "entry"
    ad_ids = checks.ids(entries, ad, settings.ad_id_type)
    checks.known_ads(entries, ad_ids, catalogue)
    if "type" in columns:
        checks.ids(entries, "type", "string")
    entries.table = entries.table.select(["entry"])
    kept = entries.settle(
        ledger,
        needed=False,
        max_rejected=spec.max_rejected,
        allow="impressions.history.max_rejected",
    )
    found = {"ads": filter_lists(lists, kept, ad_ids)}
    if "type" in columns:
        found["types"] = filter_lists(lists, kept, columns["type"])
    return pa.table(found)


def note_no_histories(
    impressions: SpilledTable,
    events: SpilledTable | None,
    histories: pa.Table | None,
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
        if not pc.sum(pc.list_value_length(histories["ads"])).as_py():
            ledger.note("all histories are empty")
    elif events is not None and not _any_earlier(impressions, events):
        ledger.note(
            "no impression has a history: no event comes before an impression "
            "of its user; compare user ids and times"
        )


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


def _lists(rows: RawRows, spec: ColumnSpec) -> tuple[pa.Array, pa.Array | None]:
    """Lists of entries and, where they have a column of their own, of types."""
    if not spec.types:
        return checks.lists(rows, spec.column, spec.separator), None
    ads, types = (
        as_lists(rows[name], spec.separator, keep_empty=True)
        for name in (spec.column, spec.types)
    )
    lengths = (pc.list_value_length(column) for column in (ads, types))
    uneven = pc.not_equal(*lengths).to_numpy(zero_copy_only=False)
    rows.refuse(
        uneven, f"{spec.types} has another number of entries than {spec.column}"
    )
    return ads, types


def _parts(entries: pa.Array, separator: str) -> dict[str, pa.Array]:
    """The ads and the types of entries such as `a1:click`."""
    parts = pc.split_pattern(entries, separator, max_splits=1, reverse=True)
    typed = pc.equal(pc.list_value_length(parts), 2)
    whole = pc.if_else(typed, parts, pa.scalar(["", ""], parts.type))
    types = pc.list_element(whole, 1) if len(entries) else entries
    ads = pc.list_element(whole, 0) if len(entries) else entries
    return {"ad": pc.if_else(typed, ads, entries), "type": types}
