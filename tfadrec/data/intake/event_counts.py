"""How often users did what, before each impression."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tfadrec.core.feature import Feature
from tfadrec.core.schema import SKIPPED, Schema
from tfadrec.data.columns import as_codes, rows_of
from tfadrec.data.features import as_of
from tfadrec.data.intake import limits
from tfadrec.data.intake.coded_tables import joined
from tfadrec.data.intake.id_hashes import hashes_of
from tfadrec.data.intake.of_rows import key_of
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.rate_keys import RateKeys
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.user_rows import users_of
from tfadrec.data.intake.workspace import Workspace

_PAIR = ("ad_id", "user_id")
_SHOWN = (*_PAIR, "timestamp")
_DONE = (*_SHOWN, "event_type")
#: Rows, about, of which it is found how many repeat an earlier one.
_LOOKED_AT = 1 << 18


def event_counts(
    features: Sequence[Feature],
    keys: RateKeys,
    impressions: pa.Table,
    events: pa.Table,
) -> dict[str, np.ndarray]:
    """The columns of counts among events: log(1 + n), float64 [n] by keys.

    Only events of an earlier second than the impression count, and none of an
    ad that was skipped.

    Args:
      features: counts among events.
      keys: of these impressions.
      impressions: ad_id, user_id and timestamp.
      events: the same, and event_type.
    """
    if not features:
        return {}
    done = _not_skipped(events)
    moments, times = (t["timestamp"].to_numpy() for t in (impressions, done))
    ones = np.ones(len(done))
    columns = {}
    for feature in features:
        asked, groups = keys.groups(feature, impressions, done)
        (number,) = as_of.sums_before(
            asked, moments, groups, times, [ones], feature.days
        )
        columns[key_of(feature)] = np.log1p(number)
    return columns


def spilled_event_counts(
    schema: Schema,
    features: Sequence[Feature],
    impressions: SpilledTable,
    events: SpilledTable,
    ads: pa.Table,
    users: pa.Table | None,
    workspace: Workspace,
) -> SpilledTable:
    """The same of logs that may be larger than memory.

    Where each key has the user in it, a part of the users is in memory at a
    time, and otherwise all.

    Returns:
      A table with the batches of the impressions.
    """
    by_user = all("user_id" in feature.ids for feature in features)
    logs = (impressions, events)
    count = 1
    if by_user:
        count = limits.parts_of(
            sum(map(len, logs)), sum(log.nbytes for log in logs)
        )
    shown = _dealt(impressions, _SHOWN, count, workspace)
    done = _dealt(events, _DONE, count, workspace)

    def of_parts() -> Iterator[pa.Table]:
        for number in range(count):
            part = shown.part(number)
            keys = RateKeys(schema, part, ads, users)
            yield pa.table(
                event_counts(features, keys, part, done.part(number))
            )

    return shown.back(of_parts())


def repeated_rows(log: SpilledTable) -> tuple[int, int]:
    """How many rows are of an ad that their user met in an earlier second.

    Of a large log a part of the users is looked at.

    Args:
      log: ad_id, user_id and timestamp, and of events event_type.

    Returns:
      Their number, and that of all rows that were looked at, of which none is
      an event of a skipped ad.
    """
    count = max(1, len(log) // _LOOKED_AT)
    has_types = "event_type" in log.column_names
    batches = log.batches(_DONE if has_types else _SHOWN)
    if count > 1:
        batches = (b.filter(pa.array(_part_of(b, count) == 0)) for b in batches)
    done = joined(batches)
    if has_types:
        done = _not_skipped(done)
    ads, users = (
        as_codes(done[name]).indices.to_numpy().astype(np.int64)
        for name in _PAIR
    )
    pairs, times = _often(
        ads * (users.max(initial=0) + 1) + users, done["timestamp"].to_numpy()
    )
    groups = np.unique(pairs, return_inverse=True)[1] + 1
    ones = np.ones(len(groups))
    (before,) = as_of.sums_before(groups, times, groups, times, [ones])
    return int((before > 0).sum()), len(done)


def _often(
    pairs: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Those of pairs that come more than once: of a large log often few."""
    ordered = np.sort(pairs)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return pairs[:0], times[:0]
    at = np.minimum(np.searchsorted(twice, pairs), len(twice) - 1)
    is_there = twice[at] == pairs
    return pairs[is_there], times[is_there]


def _not_skipped(events: pa.Table) -> pa.Table:
    skipped = rows_of(events["event_type"], pa.array([SKIPPED])) > 0
    return events.filter(pa.array(~skipped))


def _dealt(
    log: SpilledTable, columns: Sequence[str], count: int, workspace: Workspace
) -> Parts:
    """The rows of a log in parts by their users, which are shared."""
    numbered = ((b, users_of(b) % count) for b in log.batches(columns))
    return Parts(numbered, count, workspace)


def _part_of(batch: pa.Table, count: int) -> np.ndarray:
    """A number below `count` for the user of each row, int64 [n]."""
    coded = as_codes(batch["user_id"])
    hashes = hashes_of(coded.dictionary.cast(pa.string()))
    return (hashes % count).astype(np.int64)[coded.indices.to_numpy()]
