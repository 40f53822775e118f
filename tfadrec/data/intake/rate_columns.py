"""The columns of rates and counts, worked out of impressions and events."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.features import as_of, counted
from tfadrec.data.intake.event_counts import event_counts, spilled_event_counts
from tfadrec.data.intake.of_rows import ID_OF, key_of
from tfadrec.data.intake.rate_keys import RateKeys
from tfadrec.data.intake.request_rows import requests_of
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace


def with_rates(
    schema: Schema,
    impressions: pa.Table,
    events: pa.Table,
    ads: pa.Table,
    users: pa.Table | None = None,
) -> pa.Table:
    """The impressions, with what was known at the moment of each.

    Columns that are there already are worked out again.

    Args:
      schema: with rates and counts among its features, or without.
      impressions: request_id, user_id, ad_id, timestamp, clicked, weight, and
        typed columns of features by their keys.
      events: user_id, ad_id, event_type and timestamp.
      ads: ad_id and typed columns.
      users: user_id and typed columns; None where nothing is known of users.
    """
    of_impressions, of_events = _among(schema)
    keys = RateKeys(schema, impressions, ads, users)
    columns = rate_columns(of_impressions, keys, impressions)
    columns |= event_counts(of_events, keys, impressions, events)
    kept = [n for n in impressions.column_names if n not in columns]
    return _beside(impressions.select(kept), pa.table(columns))


def with_spilled_rates(
    schema: Schema,
    impressions: SpilledTable,
    events: SpilledTable | None,
    ads: pa.Table,
    users: pa.Table | None,
    workspace: Workspace,
) -> SpilledTable:
    """The same of logs that may be larger than memory.

    All values of the columns that rates among impressions are made of are in
    memory together.
    """
    of_impressions, of_events = _among(schema)
    if of_events:
        assert events is not None
        found = spilled_event_counts(
            schema, of_events, impressions, events, ads, users, workspace
        )
        impressions = _with_columns(impressions, found.batches(), workspace)
    if of_impressions:
        names = {f.tensor: key_of(f) for f in schema.features}
        wanted = {"request_id", "timestamp", "clicked", "weight"}
        wanted |= set(ID_OF.values())
        for feature in of_impressions:
            wanted |= {names[name] for name in feature.of}
        read = [n for n in impressions.column_names if n in wanted]
        table = impressions.table(read)
        keys = RateKeys(schema, table, ads, users)
        columns = pa.table(rate_columns(of_impressions, keys, table))
        ends = np.cumsum(impressions.lengths)
        pieces = (
            columns.slice(end - size, size)
            for end, size in zip(ends, impressions.lengths, strict=True)
        )
        impressions = _with_columns(impressions, pieces, workspace)
    return impressions


def rate_columns(
    features: Sequence[Feature], keys: RateKeys, impressions: pa.Table
) -> dict[str, np.ndarray]:
    """The columns of rates and counts among impressions, by their keys.

    Only impressions of requests that were over in an earlier second count, so
    neither a row's own label nor that of its request has a part in its values.

    Args:
      features: rates and counts among impressions.
      keys: of these impressions.
      impressions: see `with_rates`.
    """
    if not features:
        return {}
    times = impressions["timestamp"].to_numpy()
    clicks = impressions["clicked"].to_numpy().astype(np.float64)
    weights = np.ones(len(impressions))
    if "weight" in impressions.column_names:
        weights = impressions["weight"].to_numpy()
    known = as_of.known_at(requests_of(impressions), times)
    counts = (times, known, clicks, weights)
    everything = np.ones(len(impressions), np.int64)
    rate = as_of.rate_of(*as_of.counts_as_of(everything, *counts))
    columns = {}
    for feature in features:
        (groups,) = keys.groups(feature, impressions)
        shown, clicked = as_of.counts_as_of(groups, *counts, feature.days)
        columns[key_of(feature)] = as_of.values_of(
            feature.kind, shown, clicked, rate, feature.prior
        )
    return columns


def _among(schema: Schema) -> tuple[list[Feature], list[Feature]]:
    """The rates and counts among impressions, and those among events."""
    features = counted(schema.features)
    return (
        [f for f in features if f.among == "impressions"],
        [f for f in features if f.among == "events"],
    )


def _with_columns(
    impressions: SpilledTable,
    columns: Iterable[pa.Table],
    workspace: Workspace,
) -> SpilledTable:
    """The impressions, with a table more beside each batch."""
    found = SpilledTable(workspace)
    for batch, more in zip(impressions.batches(), columns, strict=True):
        found.append(_beside(batch, more))
    return found


def _beside(table: pa.Table, more: pa.Table) -> pa.Table:
    for name in more.column_names:
        table = table.append_column(name, more[name])
    return table
