"""Rates and counts as of the end of a log, for requests that come after."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.features import as_of, counted
from tfadrec.data.impressions import Impressions


@dataclasses.dataclass(frozen=True)
class RateTable:
    """What a rate or count is one second after the log's last impression.

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
    ads: Mapping[str, np.ndarray],
    users: Mapping[str, np.ndarray],
) -> dict[str, RateTable]:
    """A table for each rate and count of a schema, by its tensor.

    Args:
      schema: tells the features.
      impressions: of the whole log.
      ads: columns [N, ...] of ads.
      users: columns [U + 1, ...] of users.
    """
    columns = {
        "ad_id": impressions.ads,
        "user_id": impressions.users,
        **impressions.columns,
    }
    features = counted(schema.features)
    read = {name for feature in features for name in feature.of}
    for name in read & set(ads):
        columns[name] = np.append(np.int32(0), ads[name])[impressions.ads]
    for name in read & set(users):
        columns[name] = users[name][impressions.users]
    return {
        feature.tensor: _table(
            feature,
            np.stack([columns[n] for n in (*feature.ids, *feature.of)], axis=1),
            impressions,
        )
        for feature in features
    }


def _table(feature: Feature, codes: np.ndarray, rows: Impressions) -> RateTable:
    weights = np.ones(len(codes)) if rows.weights is None else rows.weights
    clicks = weights * rows.labels["clicked"].astype(np.float64)
    rate = as_of.rate_of(weights.sum(), clicks.sum())
    counts = (codes > 0).all(axis=1)
    if feature.days:
        known = as_of.known_at(rows.requests, rows.times)
        now = known.max(initial=0) + 1
        counts &= known >= now - int(feature.days * as_of.DAY)
    # Groups are in the order of their codes.
    groups = as_of.group_of(list(codes.T))[counts]
    _, first, places = np.unique(groups, return_index=True, return_inverse=True)
    keys = codes[counts][first]
    shown, clicked = (
        np.bincount(places, values[counts], len(keys)).astype(np.float64)
        for values in (weights, clicks)
    )
    values = as_of.values_of(feature.kind, shown, clicked, rate, feature.prior)
    return RateTable(keys.astype(np.int32), values.astype(np.float32))
