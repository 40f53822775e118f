"""Any CSV, TSV or Parquet log, with a column mapping in YAML."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.schema import Schema
from tfadrec.data.columns import filter_lists
from tfadrec.data.intake import checks
from tfadrec.data.intake.feature_columns import (
    describe_features,
    parse_features,
)
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.write import check_out, write_dataset
from tfadrec.data.sources.popularity_check import popularity_notes
from tfadrec.data.sources.sampling import with_negatives
from tfadrec.data.sources.table_config import read_config
from tfadrec.data.sources.table_impressions import read_impressions
from tfadrec.data.sources.table_rows import log_columns, read_rows
from tfadrec.data.sources.table_spec import TableConfig, TableSpec


def prepare_table(
    config: str | pathlib.Path, out: str | pathlib.Path
) -> Summary:
    """Writes files that a YAML file describes as a dataset.

    Args:
      config: the YAML file; docs/data.md lists its keys.
      out: the folder to write.

    Raises:
      InputError: where a file cannot be used, or `out` is something else.
    """
    out = check_out(out)
    settings = read_config(config)
    ledger = Ledger()
    ads = _ads(settings, ledger)
    catalogue = ads["ad_id"].combine_chunks()
    users = _users(settings, ledger)
    events = _events(settings, catalogue, ledger)
    impressions, histories = read_impressions(settings, catalogue, ledger)
    if settings.sampling is not None:
        impressions = with_negatives(
            impressions, catalogue, ledger=ledger, **settings.sampling
        )
    sampled = settings.sampling is not None
    for note in popularity_notes(impressions, sampled=sampled):
        ledger.note(note)
    tables = [t for t in (ads, users, events, impressions) if t is not None]
    event_types = ("click",)
    if events is not None:
        event_types = tuple(sorted(pc.unique(events["event_type"]).to_pylist()))
    schema = Schema(
        source=settings.name,
        user_id_type=settings.user_id_type,
        ad_id_type=settings.ad_id_type,
        event_types=event_types,
        labels=settings.labels,
        features=describe_features(settings.features, tables),
        negatives_kept=settings.negatives_kept,
    )
    return write_dataset(
        out,
        schema=schema,
        ads=ads,
        users=users,
        events=events,
        impressions=impressions,
        histories=histories,
        ledger=ledger,
    )


def _ads(settings: TableConfig, ledger: Ledger) -> pa.Table:
    spec = settings.ads
    named = spec.columns
    rows = read_rows(spec, "ad rows" if spec.deduplicate else "ads")
    ad_ids = checks.ids(rows, named["ad_id"].column, settings.ad_id_type)
    nothing = pa.array([""]).take(pa.array(np.zeros(len(rows), np.int64)))
    title, description = (
        checks.texts(rows, named[n].column) if n in named else nothing
        for n in ("title", "description")
    )
    if "tags" in named:
        tag = named["tags"]
        tags = checks.lists(rows, tag.column, tag.separator)
    else:
        tags = pc.split_pattern(nothing, " ")
        tags = filter_lists(tags, np.zeros(len(rows), bool))
    columns = {
        "ad_id": ad_ids,
        "title": title,
        "description": description,
        "tags": tags,
    }
    return _one_row_each(rows, spec, columns, "ad", ledger)


def _users(settings: TableConfig, ledger: Ledger) -> pa.Table | None:
    spec = settings.users
    if spec is None:
        return None
    rows = read_rows(spec, "user rows" if spec.deduplicate else "users")
    column = spec.columns["user_id"].column
    columns = {"user_id": checks.ids(rows, column, settings.user_id_type)}
    return _one_row_each(rows, spec, columns, "user", ledger)


def _one_row_each(
    rows: RawRows,
    spec: TableSpec,
    columns: dict[str, pa.Array],
    what: str,
    ledger: Ledger,
) -> pa.Table:
    """The first kept row of each ad or user, with its features."""
    key = f"{what}_id"
    if not spec.deduplicate:
        checks.first_of_each(rows, columns[key], what)
    columns |= parse_features(rows, spec.features, ledger)
    table = pa.table(columns).filter(rows.settle(ledger))
    if spec.deduplicate:
        codes = table[key].combine_chunks().dictionary_encode().indices
        _, first = np.unique(codes.to_numpy(), return_index=True)
        ledger.note(
            f"{spec.file}: {len(table)} {what} rows describe {len(first)} "
            f"{what}s; the first row of each is used"
        )
        table = table.take(pa.array(first))
    return table


def _events(
    settings: TableConfig, catalogue: pa.Array, ledger: Ledger
) -> pa.Table | None:
    spec = settings.events
    if spec is None:
        return None
    rows = read_rows(spec, "events")
    columns = log_columns(rows, spec, settings, catalogue)
    kind = spec.columns["event_type"]
    if kind.constant is not None:
        one = pa.array([kind.constant])
        types = one.take(pa.array(np.zeros(len(rows), np.int64)))
    else:
        types = checks.ids(rows, kind.column, "string")
    table = pa.table(
        {
            "user_id": columns["user_id"],
            "ad_id": columns["ad_id"],
            "event_type": types,
            "timestamp": columns["timestamp"],
            **parse_features(rows, spec.features, ledger),
        }
    )
    return table.filter(rows.settle(ledger))
