"""A dataset's tables as arrays."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.columns import as_array, distinct, rows_of
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
from tfadrec.data.rate_table import RateTable, rate_tables


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
    check_columns(
        schema, {name: table.column_names for name, table in tables.items()}
    )
    ad_ids = as_array(tables["ads"]["ad_id"])
    user_ids = distinct_ids(
        table["user_id"]
        for table in (events, impressions, people)
        if table is not None
    )
    users = rows_of(impressions["user_id"], user_ids)
    if "histories" in tables:
        log, first, last = given_histories(tables["histories"], schema, ad_ids)
        rows = impressions["history"].to_numpy()
        starts, ends = first[rows], last[rows]
    else:
        event_users = rows_of(events["user_id"], user_ids)
        order = np.lexsort((events["timestamp"].to_numpy(), event_users))
        log = encode_events(
            events.take(order), schema, ad_ids, event_users[order]
        )
        starts, ends = slices_of(
            log, users, impressions["timestamp"].to_numpy()
        )
    requests = impressions["request_id"].combine_chunks().dictionary_encode()
    of_users = encode_users(people, user_ids, schema)
    shown = encode_impressions(
        impressions,
        schema,
        ad_ids,
        requests=requests.indices.to_numpy().astype(np.int64),
        users=users,
        history_starts=starts,
        history_ends=ends,
    )
    rates = encode_rates(schema, tables["ads"], of_users, shown, log)
    return Encoded(
        user_ids.to_numpy(zero_copy_only=False), of_users, log, shown, rates
    )


def encode_rates(
    schema: Schema,
    ads: pa.Table,
    of_users: Mapping[str, np.ndarray],
    shown: Impressions,
    log: EventLog,
) -> dict[str, RateTable]:
    """What rates and counts are at the end of a log, see `rate_tables`.

    Args:
      schema: the feature spec.
      ads: the catalogue.
      of_users: as from `encode_users`.
      shown: all impressions.
      log: all events.
    """
    if not counted(schema.features):
        return {}
    of_ads = encode(ads, schema.of("ad"))
    return rate_tables(schema, shown, log, of_ads, of_users)


def encode_events(
    events: pa.Table, schema: Schema, ad_ids: pa.Array, users: np.ndarray
) -> EventLog:
    """The event log out of its table.

    Args:
      events: [E] sorted by user and time.
      schema: the feature spec.
      ad_ids: of the catalogue.
      users: int32 [E], their rows.
    """
    types = np.array(schema.event_types, dtype=object)
    return EventLog(
        users=users,
        ads=rows_of(events["ad_id"], ad_ids),
        types=rows_of(events["event_type"], types),
        times=events["timestamp"].to_numpy(),
        columns=encode(events, schema.of("event")),
    )


def slices_of(
    log: EventLog, users: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A user's events strictly before some moments, as slices of a log.

    Args:
      log: [E] events, with their users and times.
      users: int32 [n].
      times: int64 [n].

    Returns:
      int64 [n] twice, where each slice begins and ends.
    """
    assert log.users is not None
    assert log.times is not None
    # Of all users the rows have those of a range.
    low = int(users.min()) if len(users) else 0
    known = np.arange(low, users.max(initial=0) + 1)
    starts = np.searchsorted(log.users, known, side="left")[users - low]
    # One sortable key of (user, time): the number of events that are smaller
    # is the place where the impression would stand in the log.
    first = min(log.times.min(initial=0), times.min(initial=0))
    span = max(log.times.max(initial=0), times.max(initial=0)) - first + 1
    event_keys = log.users.astype(np.int64) * span + (log.times - first)
    keys = users.astype(np.int64) * span + (times - first)
    # What is looked up in order is found sooner.
    order = np.argsort(keys)
    ends = np.empty(len(keys), np.int64)
    ends[order] = np.searchsorted(event_keys, keys[order], side="left")
    return starts.astype(np.int64), ends


def encode_impressions(
    impressions: pa.Table,
    schema: Schema,
    ad_ids: pa.Array,
    *,
    requests: np.ndarray,
    users: np.ndarray,
    history_starts: np.ndarray,
    history_ends: np.ndarray,
    split_type: np.dtype | type = np.str_,
) -> Impressions:
    """Impressions out of their table, and of what is known of its rows.

    Args:
      impressions: [n].
      schema: the feature spec.
      ad_ids: of the catalogue.
      requests: see `Impressions`, and so the next three.
      users: as above.
      history_starts: as above.
      history_ends: as above.
      split_type: of the array of splits; as wide as it has to be by default.
    """
    splits = _optional(impressions, "split")
    return Impressions(
        requests=requests,
        users=users,
        ads=rows_of(impressions["ad_id"], ad_ids),
        times=impressions["timestamp"].to_numpy(),
        labels={
            name: impressions[name].to_numpy().astype(np.float32)
            for name in schema.labels
        },
        columns=encode(impressions, schema.of("context", "candidate")),
        history_starts=history_starts,
        history_ends=history_ends,
        # A file can hold texts of one width.
        splits=None if splits is None else splits.astype(split_type),
        weights=_optional(impressions, "weight"),
        days=_optional(impressions, "joined"),
    )


def check_columns(
    schema: Schema, columns: Mapping[str, Collection[str]]
) -> None:
    """Refuses tables that lack a column of the schema.

    Args:
      schema: the feature spec.
      columns: the names of the columns of each table.

    Raises:
      InputError: where a column is missing.
    """
    context = schema.of("context", "candidate")
    shown = ("request_id", "user_id", "ad_id", "timestamp", *schema.labels)
    done = ("user_id", "ad_id", "event_type", "timestamp")
    for name, keys, features in (
        ("events", done, schema.of("event")),
        ("impressions", shown, context),
        ("users", ("user_id",), schema.of("user")),
    ):
        if name not in columns:
            continue
        wanted = (*keys, *(f.column for f in with_columns(features)))
        missing = [c for c in wanted if c not in columns[name]]
        if missing:
            raise InputError(
                f"{name}.parquet must have every column of the schema. "
                f"Received: no {', '.join(missing)}. Write the dataset again "
                "with `tfadrec prepare`."
            )


def _optional(table: pa.Table, name: str) -> np.ndarray | None:
    return table[name].to_numpy() if name in table.column_names else None


def distinct_ids(columns: Iterable[pa.ChunkedArray]) -> pa.Array:
    """All ids of some columns, sorted and without repeats."""
    ids = pc.unique(pa.chunked_array([distinct(c) for c in columns]))
    return ids.take(pc.sort_indices(ids))


def encode_users(
    people: pa.Table | None, user_ids: pa.Array, schema: Schema
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


def given_histories(
    histories: pa.Table, schema: Schema, ad_ids: pa.Array
) -> tuple[EventLog, np.ndarray, np.ndarray]:
    """Histories that the source brought along, one list per request.

    Returns:
      The log, and int64 [H] twice, where each history begins and ends in it.
    """
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
    return log, ends - lengths, ends
