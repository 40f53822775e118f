"""Ads that were shown and not clicked, as events of the history."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.schema import SKIPPED
from tfadrec.data.columns import as_codes, distinct, rows_of
from tfadrec.data.intake import limits
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.order import even_bounds
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.table_spec import TableConfig

_SETTING = "events.skipped"
#: A user, an ad and a time, about.
_ROW_BYTES = 40
#: Of keys, so many that few keys share them.
_FIRST_BITS = 24
#: Odd numbers with bits all over.
_FACTORS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93], np.uint64
)


def check_skipped(config: TableConfig) -> None:
    """Refuses skipped ads where the log does not tell which these are.

    Raises:
      InputError: where they are asked for nevertheless.
    """
    reason = _why_not(config)
    if reason and config.events is not None and config.events.skipped:
        raise InputError(
            f"{_SETTING} needs impressions with a label of their own, in the "
            f"order of time. Received: true, where {reason}. Remove it."
        )


def _why_not(config: TableConfig) -> str:
    """Why the log does not tell which ads were skipped; "" where it does."""
    named = config.impressions.columns
    if config.sampling is not None:
        return "ads without a click are sampled"
    if config.impressions.counts:
        return "impressions are counted"
    if "history" in named:
        return "histories come along with impressions"
    if named["timestamp"].constant is not None:
        return "all impressions have one time"
    return ""


def add_skipped(
    config: TableConfig,
    events: SpilledTable,
    impressions: SpilledTable,
    requests: SpilledTable,
    ledger: Ledger,
    workspace: Workspace,
    *,
    known: bool = True,
) -> None:
    """Adds an event of type `skipped` for each ad that was not clicked.

    It has the time of its request's last row, so no row of the request comes
    after it, and features that are missing. An impression that the events tell
    already, by an event of this user and ad at this time, is left out.

    Args:
      config: by its `events.skipped` they are wanted, or not; where it says
        nothing they are where the log holds all impressions and no event has
        this type of its own.
      events: user_id, ad_id, event_type, timestamp and columns of features.
      impressions: request_id, user_id, ad_id, timestamp and clicked.
      requests: of the impressions, see `request_rows`.
      ledger: is told.
      workspace: where files are made on the way.
      known: whether the dataset may have this type of events.
    """
    if config.events is None or _why_not(config):
        return
    wanted = config.events.skipped
    if wanted is None:
        kept_all = known and config.negatives_kept == 1.0
        wanted = kept_all and not any(
            SKIPPED in distinct(batch["event_type"]).to_pylist()
            for batch in events.batches(["event_type"])
        )
    if not wanted:
        return
    number = 0
    told = _told(impressions, events, workspace)
    for shown, is_told, of_request in zip(
        impressions.batches(["user_id", "ad_id", "clicked"]),
        told.batches(),
        requests.batches(["last"]),
        strict=True,
    ):
        skipped = pc.equal(shown["clicked"], 0).to_numpy()
        skipped &= ~array_of(is_told, "told")
        if skipped.any():
            shown = shown.filter(pa.array(skipped))
            times = array_of(of_request, "last")[skipped]
            events.append(_as_events(shown, times, events.schema))
            number += len(shown)
    if number:
        ledger.note(
            f"{number:,} impressions without a click are events of type "
            f"{SKIPPED}; `{_SETTING}: false` leaves them out"
        )


def _as_events(
    shown: pa.Table, times: np.ndarray, schema: pa.Schema
) -> pa.Table:
    """Events of type `skipped`, whose features are missing."""
    columns = {field.name: pa.nulls(len(shown), field.type) for field in schema}
    types = np.zeros(len(shown), np.int32)
    columns |= {
        "user_id": shown["user_id"],
        "ad_id": shown["ad_id"],
        "event_type": pa.DictionaryArray.from_arrays(types, [SKIPPED]),
        "timestamp": pa.array(times, schema.field("timestamp").type),
    }
    return pa.table(columns)


def _told(
    impressions: SpilledTable, events: SpilledTable, workspace: Workspace
) -> SpilledTable:
    """`told`: whether an event has the user, the ad and the time of a row.

    Rows are put together by ranges of time, one of which is in memory at a
    time.
    """
    columns = ["user_id", "ad_id", "timestamp"]
    rows = len(impressions) + len(events)
    count = limits.parts_of(rows, rows * _ROW_BYTES)
    bounds = even_bounds(
        (
            array_of(batch, "timestamp")
            for batch in impressions.batches(["timestamp"])
        ),
        count,
    )

    def dealt(table: SpilledTable) -> Parts:
        def part_of(batch: pa.Table) -> np.ndarray:
            return np.searchsorted(
                bounds, array_of(batch, "timestamp"), "right"
            )

        numbered = ((b, part_of(b)) for b in table.batches(columns))
        return Parts(numbered, count, workspace)

    shown, done = dealt(impressions), dealt(events)
    return shown.back(
        pa.table({"told": _is_told(shown.part(n), done.part(n))})
        for n in range(count)
    )


def _is_told(impressions: pa.Table, events: pa.Table) -> np.ndarray:
    """Where an event has the user, the ad and the time, bool [n]."""
    known = {
        name: as_codes(impressions[name]).dictionary
        for name in ("user_id", "ad_id")
    }
    shown, done = (_keys(table, known) for table in (impressions, events))
    told = _may_be_among(shown, done)
    some = shown[told]
    told[told] = np.isin(some, done[_may_be_among(done, some)])
    return told


def _may_be_among(keys: np.ndarray, others: np.ndarray) -> np.ndarray:
    """False where no other key has the same first bits, bool [n]."""
    rest = np.uint64(64 - _FIRST_BITS)
    marked = np.zeros(1 << _FIRST_BITS, bool)
    marked[others >> rest] = True
    return marked[keys >> rest]


def _keys(table: pa.Table, known: Mapping[str, pa.Array]) -> np.ndarray:
    """One number for each user, ad and time; 0 for a user or ad not known.

    It is the sum of products with odd numbers, modulo 2^64: among a million
    rows two that differ share a number once in 10^7 times.
    """
    keys = table["timestamp"].to_numpy().astype(np.uint64) * _FACTORS[0]
    is_known = np.ones(len(table), bool)
    for (name, values), factor in zip(known.items(), _FACTORS[1:], strict=True):
        codes = rows_of(table[name], values)
        is_known &= codes > 0
        keys += codes.astype(np.uint64) * factor
    return np.where(is_known, keys, 0)
