"""The rows of a stretch of time, as a dataset of their own."""

import dataclasses
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.columns import as_array, is_list
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.features import maps
from tfadrec.data.intake.feature_columns import keyed_columns
from tfadrec.data.intake.joined_log import DAY
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.write import write_dataset


def slice_dataset(
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    since: int | None = None,
    until: int | None = None,
) -> Summary:
    """Writes what a stretch of time knew: its rows, and what is in them.

    It holds the impressions and the events of the time, the ads, users, values
    of vocabularies and event types that occur in these, and no others. Means,
    deviations and ranges of numbers stay those of the whole. Where that was
    joined of days, the days are forgotten.
    `join_datasets` of two stretches gives the rows of both.

    Args:
      data: a dataset folder.
      out: the folder to write.
      since: UTC seconds, the first moment that belongs to it; None for all that
        is before `until`.
      until: UTC seconds, the first moment that does not; None for all after
        `since`.

    Raises:
      InputError: where `data` is no dataset, or has no impressions of the time.
    """
    files = DatasetFiles(data)
    schema = files.schema()
    shown = _within(files.table("impressions"), since, until)
    if not len(shown):
        raise InputError(
            "a stretch of time must have impressions. Received: none from "
            f"{since} until {until} in {data}. Name another time."
        )
    if DAY in shown.column_names:
        shown = shown.drop_columns(DAY)
    events = _within(files.table("events"), since, until)
    histories = None
    named = [shown["ad_id"], events["ad_id"]]
    types = [events["event_type"]]
    if "history" in shown.column_names:
        histories = files.table("histories").take(shown["history"])
        place = shown.column_names.index("history")
        rows = pa.array(np.arange(len(shown)))
        shown = shown.set_column(place, "history", rows)
        named.append(_flat(histories["ads"]))
        if "types" in histories.column_names:
            types.append(_flat(histories["types"]))
    ads = _named(files.table("ads"), "ad_id", named)
    tables = {"ads": ads, "events": events, "impressions": shown}
    if schema.of("user"):
        people = [shown["user_id"], events["user_id"]]
        tables["users"] = _named(files.table("users"), "user_id", people)
    known = _known(schema, tables, types)
    return write_dataset(
        out,
        schema=known,
        histories=histories,
        ledger=Ledger(),
        **{n: keyed_columns(table, known) for n, table in tables.items()},
    )


def _within(table: pa.Table, since: int | None, until: int | None) -> pa.Table:
    times = table["timestamp"].to_numpy()
    kept = np.ones(len(times), bool)
    if since is not None:
        kept &= times >= since
    if until is not None:
        kept &= times < until
    return table.filter(pa.array(kept))


def _flat(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([lists.combine_chunks().flatten()])


def _named(
    table: pa.Table, key: str, columns: list[pa.ChunkedArray]
) -> pa.Table:
    """The rows of a table whose ids stand in one of the columns."""
    kept = np.zeros(len(table), bool)
    for column in columns:
        ids = column.combine_chunks().cast(table[key].type)
        kept |= pc.is_in(table[key], value_set=ids).to_numpy()
    return table.filter(pa.array(kept))


def _known(
    schema: Schema, tables: dict[str, pa.Table], types: list[pa.ChunkedArray]
) -> Schema:
    """The schema with the values that occur alone."""
    columns = {
        name: table[name]
        for table in tables.values()
        for name in table.column_names
    }
    seen: dict[str, set[str]] = {}
    for feature in schema.features:
        owner = feature.share or feature.tensor
        if feature.vocabulary and feature.column in columns:
            found = _values(feature, columns[feature.column])
            seen.setdefault(owner, set()).update(found)
    kept = {name for column in types for name in column.unique().to_pylist()}
    return dataclasses.replace(
        schema,
        event_types=tuple(t for t in schema.event_types if t in kept)
        or schema.event_types[:1],
        features=tuple(
            dataclasses.replace(
                f,
                vocabulary=tuple(
                    value
                    for value in f.vocabulary
                    if value in seen.get(f.share or f.tensor, ())
                ),
            )
            for f in schema.features
        ),
    )


def _values(feature: Feature, column: pa.ChunkedArray) -> list[str]:
    values = as_array(column)
    if pa.types.is_map(values.type) or is_list(values.type):
        values, _ = maps.entries(values)
    return values.cast(pa.string()).unique().to_pylist()
