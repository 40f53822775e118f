"""The columns of rates and counts, worked out of the impressions."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.columns import as_codes
from tfadrec.data.features import KINDS, as_of, counted
from tfadrec.data.intake.of_rows import ID_OF, of_rows
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace


def with_rates(
    schema: Schema,
    impressions: pa.Table,
    ads: pa.Table,
    users: pa.Table | None,
) -> pa.Table:
    """The impressions, with what was known at the moment of each.

    Columns that are there already are worked out again, see `rate_columns`.
    """
    columns = rate_columns(schema, impressions, ads, users)
    kept = [n for n in impressions.column_names if n not in columns]
    return _beside(impressions.select(kept), columns)


def with_spilled_rates(
    schema: Schema,
    impressions: SpilledTable,
    ads: pa.Table,
    users: pa.Table | None,
    workspace: Workspace,
) -> SpilledTable:
    """The same of impressions that may be larger than memory.

    All values of the columns that rates are made of are in memory together.
    """
    features = counted(schema.features)
    if not features:
        return impressions
    keys = {f.tensor: f"{f.entity}.{f.name}" for f in schema.features}
    wanted = {"request_id", "timestamp", "clicked", "weight", *ID_OF.values()}
    for feature in features:
        wanted |= {keys[name] for name in feature.of}
    read = [n for n in impressions.column_names if n in wanted]
    columns = rate_columns(schema, impressions.table(read), ads, users)
    found = SpilledTable(workspace)
    begin = 0
    for batch in impressions.batches():
        size = len(batch)
        here = {n: values.slice(begin, size) for n, values in columns.items()}
        found.append(_beside(batch, here))
        begin += size
    return found


def rate_columns(
    schema: Schema,
    impressions: pa.Table,
    ads: pa.Table,
    users: pa.Table | None,
) -> dict[str, pa.Array]:
    """The columns of rates and counts, by their keys.

    Only impressions of requests that were over in an earlier second count, so
    neither a row's own label nor that of its request has a part in its values.

    Args:
      schema: with rates and counts among its features, or without.
      impressions: request_id, user_id, ad_id, timestamp, clicked, weight, and
        typed columns of features by their keys.
      ads: ad_id and typed columns.
      users: user_id and typed columns; None where nothing is known of users.
    """
    features = counted(schema.features)
    if not features:
        return {}
    tables = {"ad": ads} if users is None else {"ad": ads, "user": users}
    known = {feature.tensor: feature for feature in schema.features}
    times = impressions["timestamp"].to_numpy()
    clicks = impressions["clicked"].to_numpy().astype(np.float64)
    weights = np.ones(len(impressions))
    if "weight" in impressions.column_names:
        weights = impressions["weight"].to_numpy()
    requests = _of_ids(impressions["request_id"])
    counts = (times, as_of.known_at(requests, times), clicks, weights)
    everything = np.ones(len(impressions), np.int64)
    rate = as_of.rate_of(*as_of.counts_as_of(everything, *counts))
    columns = {}
    for feature in features:
        read = [known[name] for name in feature.of]
        codes = [_of_ids(impressions[name]) for name in feature.ids]
        codes += _codes(read, impressions, tables)
        groups = as_of.group_of(codes)
        shown, clicked = as_of.counts_as_of(groups, *counts, feature.days)
        values = as_of.values_of(
            feature.kind, shown, clicked, rate, feature.prior
        )
        columns[f"{feature.entity}.{feature.name}"] = pa.array(values)
    return columns


def _beside(table: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def _of_ids(ids: pa.ChunkedArray) -> np.ndarray:
    """A number from 1 on for each id, int64 [n]."""
    codes = as_codes(ids).indices
    return codes.to_numpy().astype(np.int64) + 1


def _codes(
    features: Sequence[Feature],
    impressions: pa.Table,
    tables: Mapping[str, pa.Table],
) -> list[np.ndarray]:
    """The code of each feature for each impression, int32 [n]."""

    def read(column: pa.ChunkedArray, feature: Feature) -> np.ndarray:
        return KINDS[feature.kind].encode(column, feature)[feature.tensor]

    # Of an id that the table lacks nothing is known.
    return [of_rows(f, impressions, tables, read, 0) for f in features]
