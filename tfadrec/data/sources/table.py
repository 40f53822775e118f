"""Any CSV, TSV or Parquet log, with a column mapping in YAML."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.schema import Feature, IdType, Schema
from tfadrec.data.columns import filter_lists, list_parents
from tfadrec.data.intake import checks, features
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.read_table import read_table
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.write import check_out, write_dataset
from tfadrec.data.sources.sampling import with_negatives
from tfadrec.data.sources.table_config import (
    TableConfig,
    TableSpec,
    read_config,
)


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
    events, event_types = None, ("click",)
    if settings.events is not None:
        events = _events(settings.events, settings, catalogue, ledger)
        event_types = tuple(sorted(pc.unique(events["event_type"]).to_pylist()))
    impressions, histories = _impressions(settings, catalogue, ledger)
    if settings.sampling is not None:
        impressions = with_negatives(
            impressions, catalogue, ledger=ledger, **settings.sampling
        )
    has_label = "converted" in impressions.column_names
    spec = settings.impressions
    context = _features(impressions, spec)
    if "position" in impressions.column_names:
        place = features.categorical("position", impressions["position"])
        context = (place, *context)
    schema = Schema(
        source=settings.name,
        user_id_type=settings.user_id_type,
        ad_id_type=settings.ad_id_type,
        event_types=event_types,
        labels=("clicked", "converted") if has_label else ("clicked",),
        ad_features=_features(ads, settings.ads),
        context=context,
    )
    return write_dataset(
        out,
        schema=schema,
        ads=ads,
        events=events,
        impressions=impressions,
        histories=histories,
        ledger=ledger,
    )


def _read(spec: TableSpec, unit: str) -> RawRows:
    return read_table(
        spec.path,
        unit,
        spec.wanted(),
        name=spec.file,
        delimiter=spec.delimiter,
    )


def _feature_columns(
    rows: RawRows, spec: TableSpec, ledger: Ledger
) -> dict[str, pa.Array]:
    columns = {
        name: checks.categories(rows, column)
        for name, column in spec.categorical.items()
    }
    return columns | {
        name: checks.numbers(rows, column, ledger)
        for name, column in spec.numeric.items()
    }


def _features(table: pa.Table, spec: TableSpec) -> tuple[Feature, ...]:
    return (
        *(features.categorical(n, table[n]) for n in spec.categorical),
        *(features.numeric(n, table[n]) for n in spec.numeric),
    )


def _ads(settings: TableConfig, ledger: Ledger) -> pa.Table:
    spec = settings.ads
    rows = _read(spec, "ad rows" if spec.deduplicate else "ads")
    named = spec.columns
    ad_ids = checks.ids(rows, named["ad_id"].column, settings.ad_id_type)
    if not spec.deduplicate:
        checks.first_of_each(rows, ad_ids)
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
        **_feature_columns(rows, spec, ledger),
    }
    ads = pa.table(columns).filter(rows.settle(ledger))
    if spec.deduplicate:
        codes = ads["ad_id"].combine_chunks().dictionary_encode().indices
        _, first = np.unique(codes.to_numpy(), return_index=True)
        ledger.note(
            f"{spec.file}: {len(ads)} ad rows describe {len(first)} ads; the "
            "first row of an ad is used"
        )
        ads = ads.take(pa.array(first))
    return ads


def _log_columns(
    rows: RawRows, spec: TableSpec, settings: TableConfig, catalogue: pa.Array
) -> dict[str, pa.Array]:
    """The user, the ad and the time of each row."""
    named = spec.columns
    user_type: IdType = settings.user_id_type
    user = checks.ids(rows, named["user_id"].column, user_type)
    ad = checks.ids(rows, named["ad_id"].column, settings.ad_id_type)
    time = named["timestamp"]
    seconds = checks.timestamps(rows, time.column, time.format)
    checks.known_ads(rows, ad, catalogue)
    return {"user_id": user, "ad_id": ad, "timestamp": seconds}


def _events(
    spec: TableSpec,
    settings: TableConfig,
    catalogue: pa.Array,
    ledger: Ledger,
) -> pa.Table:
    rows = _read(spec, "events")
    columns = _log_columns(rows, spec, settings, catalogue)
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
        }
    )
    return table.filter(rows.settle(ledger))


def _impressions(
    settings: TableConfig, catalogue: pa.Array, ledger: Ledger
) -> tuple[pa.Table, pa.Table | None]:
    spec = settings.impressions
    named = spec.columns
    rows = _read(spec, "impressions")
    columns = _log_columns(rows, spec, settings, catalogue)
    if "request_id" in named:
        request = checks.ids(rows, named["request_id"].column, "string")
    else:
        request = pc.binary_join_element_wise(
            columns["user_id"].cast(pa.string()),
            columns["timestamp"].cast(pa.string()),
            "-",
        )
    columns = {"request_id": request, **columns}
    for name, check in (
        ("clicked", checks.labels),
        ("converted", checks.labels),
        ("position", checks.positions),
        ("split", checks.splits),
    ):
        if name in named:
            columns[name] = check(rows, named[name].column)
    columns |= _feature_columns(rows, spec, ledger)
    histories = None
    if "history" in named:
        histories = _histories(rows, settings, catalogue, ledger)
    kept = rows.settle(ledger)
    table = pa.table(columns).filter(kept)
    if histories is not None:
        table = table.append_column("history", pa.array(np.arange(len(table))))
    return table, histories


def _histories(
    rows: RawRows, settings: TableConfig, catalogue: pa.Array, ledger: Ledger
) -> pa.Table:
    """The history of each kept row, without the ads that are unknown."""
    spec = settings.impressions.columns["history"]
    lists = checks.lists(rows, spec.column, spec.separator)
    lists = lists.filter(pa.array(rows.kept))
    parents = np.flatnonzero(rows.kept)[list_parents(lists)]
    table = pa.table({"entry": pa.chunked_array([lists.flatten()])})
    entries = RawRows(
        rows.source, "history entries", table, rows.lines[parents]
    )
    ad_ids = checks.ids(entries, "entry", settings.ad_id_type)
    checks.known_ads(entries, ad_ids, catalogue)
    kept = entries.settle(ledger, needed=False)
    return pa.table({"ads": filter_lists(lists, kept, ad_ids)})
