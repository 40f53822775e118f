"""Ads that were shown and not clicked, as events of the history."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.schema import SKIPPED
from tfadrec.data.features import as_of
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.sources.table_spec import TableConfig

_SETTING = "events.skipped"
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


def with_skipped(
    config: TableConfig,
    events: pa.Table | None,
    impressions: pa.Table,
    ledger: Ledger,
    *,
    known: bool = True,
) -> pa.Table | None:
    """The events, and one of type `skipped` for each ad that was not clicked.

    It has the time of its request's last row, so no row of the request comes
    after it, and features that are missing. An impression that the events tell
    already, by an event of this user and ad at this time, is left out.

    Args:
      config: by its `events.skipped` they are wanted, or not; where it says
        nothing they are where the log holds all impressions and no event has
        this type of its own.
      events: user_id, ad_id, event_type, timestamp and columns of features.
      impressions: request_id, user_id, ad_id, timestamp and clicked.
      ledger: is told.
      known: whether the dataset may have this type of events.
    """
    if events is None or config.events is None or _why_not(config):
        return events
    wanted = config.events.skipped
    if wanted is None:
        taken = pc.any(pc.equal(events["event_type"], SKIPPED)).as_py()
        wanted = known and not taken and config.negatives_kept == 1.0
    if not wanted:
        return events
    not_clicked = pc.equal(impressions["clicked"], 0).to_numpy()
    not_clicked &= ~_is_told(impressions, events)
    if not not_clicked.any():
        return events
    shown = impressions.filter(pa.array(not_clicked))
    requests = impressions["request_id"].combine_chunks().dictionary_encode()
    times = as_of.known_at(
        requests.indices.to_numpy(), impressions["timestamp"].to_numpy()
    )[not_clicked]
    ledger.note(
        f"{len(shown):,} impressions without a click are events of type "
        f"{SKIPPED}; `{_SETTING}: false` leaves them out"
    )
    skipped = pa.table(
        {
            "user_id": shown["user_id"],
            "ad_id": shown["ad_id"],
            "event_type": pa.array([SKIPPED]).take(
                pa.array(np.zeros(len(shown), np.int64))
            ),
            "timestamp": pa.array(times, events["timestamp"].type),
        }
    )
    return pa.concat_tables([events, skipped], promote_options="default")


def _is_told(impressions: pa.Table, events: pa.Table) -> np.ndarray:
    """Where an event has the user, the ad and the time, bool [n]."""
    known = {n: pc.unique(impressions[n]) for n in ("user_id", "ad_id")}
    shown, done = (_keys(table, known) for table in (impressions, events))
    return pc.is_in(shown, value_set=done).to_numpy(zero_copy_only=False)


def _keys(table: pa.Table, known: Mapping[str, pa.Array]) -> pa.Array:
    """One number for each user, ad and time; 0 for a user or ad not known.

    It is the sum of products with odd numbers, modulo 2^64: among a million
    rows two that differ share a number once in 10^7 times.
    """
    keys = table["timestamp"].to_numpy().astype(np.uint64) * _FACTORS[0]
    is_known = np.ones(len(table), bool)
    for (name, values), factor in zip(known.items(), _FACTORS[1:], strict=True):
        codes = pc.index_in(table[name], value_set=values)
        codes = pc.fill_null(codes, -1).to_numpy()
        is_known &= codes >= 0
        keys += codes.astype(np.uint64) * factor
    return pa.array(np.where(is_known, keys, 0))
