"""A dataset's tables as arrays."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.columns import rows_of
from tfadrec.data.encoded.encoded import Encoded
from tfadrec.data.event_log import EventLog
from tfadrec.data.features import (
    KINDS,
    counted,
    encode,
    missing_like,
    with_columns,
)
from tfadrec.data.impressions import Impressions
from tfadrec.data.rate_table import rate_tables


def encode_tables(schema: Schema, tables: Mapping[str, pa.Table]) -> Encoded:
    """Makes arrays of a dataset's tables.

    Args:
      schema: the feature spec.
      tables: `ads`, `events` and `impressions`, and where there are some
        `users` and `histories`, as the dataset's files hold them.

    Raises:
      InputError: where a column of the schema is missing.
    """
    events, impressions = tables["events"], tables["impressions"]
    people = tables.get("users") if schema.of("user") else None
    _check_columns(schema, tables)
    ad_ids = tables["ads"]["ad_id"].to_numpy()
    user_ids = _distinct(
        table["user_id"]
        for table in (events, impressions, people)
        if table is not None
    )
    users = rows_of(impressions["user_id"], user_ids)
    times = impressions["timestamp"].to_numpy()
    if "histories" in tables:
        rows = impressions["history"].to_numpy()
        log, starts, ends = _given_histories(
            tables["histories"], rows, schema, ad_ids
        )
    else:
        log, starts, ends = _own_histories(
            events, schema, ad_ids, user_ids, users, times
        )
    requests = impressions["request_id"].combine_chunks().dictionary_encode()
    of_users = _of_users(people, user_ids, schema)
    shown = Impressions(
        requests=requests.indices.to_numpy().astype(np.int64),
        users=users,
        ads=rows_of(impressions["ad_id"], ad_ids),
        times=times,
        labels={
            name: impressions[name].to_numpy().astype(np.float32)
            for name in schema.labels
        },
        columns=encode(impressions, schema.of("context", "candidate")),
        history_starts=starts,
        history_ends=ends,
        splits=_texts(impressions, "split"),
        weights=_optional(impressions, "weight"),
        days=_optional(impressions, "joined"),
    )
    rates = {}
    if counted(schema.features):
        of_ads = encode(tables["ads"], schema.of("ad"))
        rates = rate_tables(schema, shown, of_ads, of_users)
    return Encoded(user_ids, of_users, log, shown, rates)


def _check_columns(schema: Schema, tables: Mapping[str, pa.Table]) -> None:
    context = schema.of("context", "candidate")
    shown = ("request_id", "user_id", "ad_id", "timestamp", *schema.labels)
    done = ("user_id", "ad_id", "event_type", "timestamp")
    for name, keys, features in (
        ("events", done, schema.of("event")),
        ("impressions", shown, context),
        ("users", ("user_id",), schema.of("user")),
    ):
        if name not in tables:
            continue
        columns = (*keys, *(f.column for f in with_columns(features)))
        known = tables[name].column_names
        missing = [c for c in columns if c not in known]
        if missing:
            raise InputError(
                f"{name}.parquet must have every column of the schema. "
                f"Received: no {', '.join(missing)}. Write the dataset again "
                "with `tfadrec prepare`."
            )


def _texts(table: pa.Table, name: str) -> np.ndarray | None:
    """A column as an array of fixed width, which a file can hold."""
    found = _optional(table, name)
    return None if found is None else found.astype(np.str_)


def _optional(table: pa.Table, name: str) -> np.ndarray | None:
    return table[name].to_numpy() if name in table.column_names else None


def _distinct(columns: Iterable[pa.ChunkedArray]) -> np.ndarray:
    """All ids of some columns, sorted and without repeats."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    ids = pc.unique(pa.chunked_array(chunks))
    return ids.take(pc.sort_indices(ids)).to_numpy(zero_copy_only=False)


def _of_users(
    people: pa.Table | None, user_ids: np.ndarray, schema: Schema
) -> dict[str, np.ndarray]:
    """The users' features, row 0 and those without any missing."""
    if people is None:
        return {}
    encoded = encode(people, schema.of("user"))
    rows = rows_of(people["user_id"], user_ids)
    users = {}
    for name, unknown in missing_like(encoded).items():
        users[name] = np.repeat(unknown, len(user_ids) + 1, axis=0)
        users[name][rows] = encoded[name]
    return users


def _no_events(schema: Schema) -> dict[str, pa.Array]:
    """Columns of an event log without events."""
    typed = {}
    for feature in with_columns(schema.of("event")):
        nothing = pa.chunked_array([pa.array([], pa.string())])
        typed[feature.column], _ = KINDS[feature.kind].parse(nothing, " ", {})
    return typed


def _own_histories(
    events: pa.Table,
    schema: Schema,
    ad_ids: np.ndarray,
    user_ids: np.ndarray,
    users: np.ndarray,
    times: np.ndarray,
) -> tuple[EventLog, np.ndarray, np.ndarray]:
    """A user's events strictly before each impression, as log slices."""
    event_users = rows_of(events["user_id"], user_ids)
    event_times = events["timestamp"].to_numpy()
    order = np.lexsort((event_times, event_users))
    event_users, event_times = event_users[order], event_times[order]
    log = EventLog(
        users=event_users,
        ads=rows_of(events["ad_id"], ad_ids)[order],
        types=rows_of(
            events["event_type"], np.array(schema.event_types, dtype=object)
        )[order],
        times=event_times,
        columns={
            name: column[order]
            for name, column in encode(events, schema.of("event")).items()
        },
    )
    starts = np.searchsorted(event_users, users, side="left")
    # One sortable key of (user, time): the number of events that are smaller
    # is the place where the impression would stand in the log.
    first = min(event_times.min(initial=0), times.min(initial=0))
    span = max(event_times.max(initial=0), times.max(initial=0)) - first + 1
    event_keys = event_users.astype(np.int64) * span + (event_times - first)
    keys = users.astype(np.int64) * span + (times - first)
    ends = np.searchsorted(event_keys, keys, side="left")
    return log, starts.astype(np.int64), ends.astype(np.int64)


def _given_histories(
    histories: pa.Table,
    history_rows: np.ndarray,
    schema: Schema,
    ad_ids: np.ndarray,
) -> tuple[EventLog, np.ndarray, np.ndarray]:
    """Histories that the source brought along, one list per request."""
    lists = histories["ads"].combine_chunks()
    lengths = pc.list_value_length(lists).to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)
    ads = rows_of(lists.flatten(), ad_ids)
    # Where no types are told there is one; the log does not tell the times.
    types = np.full(len(ads), min(1, len(schema.event_types)), np.int32)
    if "types" in histories.column_names:
        types = rows_of(
            histories["types"].combine_chunks().flatten(),
            np.array(schema.event_types, dtype=object),
        )
    unknown = missing_like(encode(_no_events(schema), schema.of("event")))
    log = EventLog(
        users=None,
        ads=ads,
        types=types,
        times=None,
        columns={k: np.repeat(v, len(ads), 0) for k, v in unknown.items()},
    )
    return log, (ends - lengths)[history_rows], ends[history_rows]
