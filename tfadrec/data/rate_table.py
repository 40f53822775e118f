"""Rates and counts as of the end of a log, for requests that come after."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.event_log import EventLog
from tfadrec.data.features import as_of, counted
from tfadrec.data.impressions import Impressions


@dataclasses.dataclass(frozen=True)
class RateTable:
    """What a rate or count is one second after the log's last row.

    Args:
      keys: int32 [K, P] codes of each key, those of `Feature.ids` first, then
        those of `Feature.of`, distinct, in ascending order.
      values: float32 [K]; a key that is not there has 0.
    """

    keys: np.ndarray
    values: np.ndarray


def rate_tables(
    schema: Schema,
    impressions: Impressions,
    events: EventLog,
    ads: Mapping[str, np.ndarray],
    users: Mapping[str, np.ndarray],
) -> dict[str, RateTable]:
    """A table for each rate and count of a schema, by its tensor.

    Args:
      schema: tells the features.
      impressions: of the whole log.
      events: of the whole log; with users and times, where one counts them.
      ads: columns [N, ...] of ads.
      users: columns [U + 1, ...] of users.
    """
    features = counted(schema.features)
    shown = _shown(impressions)
    end = shown.known.max(initial=0)
    logs = {"impressions": shown}
    if any(feature.among == "events" for feature in features):
        logs["events"] = done = _done(events, schema.skipped)
        end = max(end, done.known.max(initial=0))
    tables = {}
    for feature in features:
        log = logs[feature.among]
        columns = {"ad_id": log.ads, "user_id": log.users, **log.columns}
        for name in feature.of:
            if name in ads:
                columns[name] = np.append(np.int32(0), ads[name])[log.ads]
            elif name in users:
                columns[name] = users[name][log.users]
        codes = np.stack(
            [columns[n] for n in (*feature.ids, *feature.of)], axis=1
        )
        tables[feature.tensor] = _table(feature, codes, log, int(end) + 1)
    return tables


@dataclasses.dataclass(frozen=True)
class _Log:
    """Rows that are counted: who, what, when it was known, and how much."""

    users: np.ndarray
    ads: np.ndarray
    columns: Mapping[str, np.ndarray]
    known: np.ndarray
    weights: np.ndarray
    clicks: np.ndarray


def _shown(rows: Impressions) -> _Log:
    weights = np.ones(len(rows.ads)) if rows.weights is None else rows.weights
    return _Log(
        rows.users,
        rows.ads,
        rows.columns,
        as_of.known_at(rows.requests, rows.times),
        weights,
        weights * rows.labels["clicked"].astype(np.float64),
    )


def _done(events: EventLog, skipped: int) -> _Log:
    """The events, but for those of ads that were skipped."""
    assert events.users is not None
    assert events.times is not None
    kept = np.ones(len(events.ads), bool)
    if skipped:
        kept = events.types != skipped
    ones = np.ones(int(kept.sum()))
    return _Log(
        events.users[kept],
        events.ads[kept],
        {},
        events.times[kept],
        ones,
        np.zeros(len(ones)),
    )


def _table(
    feature: Feature, codes: np.ndarray, log: _Log, now: int
) -> RateTable:
    rate = as_of.rate_of(log.weights.sum(), log.clicks.sum())
    counts = (codes > 0).all(axis=1)
    if feature.days:
        counts &= log.known >= now - int(feature.days * as_of.DAY)
    # Groups are in the order of their codes.
    groups = as_of.group_of(list(codes.T))[counts]
    _, first, places = np.unique(groups, return_index=True, return_inverse=True)
    keys = codes[counts][first]
    shown, clicked = (
        np.bincount(places, values[counts], len(keys)).astype(np.float64)
        for values in (log.weights, log.clicks)
    )
    values = as_of.values_of(feature.kind, shown, clicked, rate, feature.prior)
    return RateTable(keys.astype(np.int32), values.astype(np.float32))
