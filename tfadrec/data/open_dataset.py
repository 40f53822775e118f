"""Reading a dataset folder."""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue, encode_column, rows_of
from tfadrec.data.dataset import Dataset
from tfadrec.data.event_log import EventLog
from tfadrec.data.files import open_filesystem
from tfadrec.data.impressions import Impressions


def open_dataset(path: str | pathlib.Path) -> Dataset:
    """Reads a dataset folder.

    Args:
      path: the folder that `tfadrec prepare` wrote, on any filesystem that
        pyarrow or fsspec reads.

    Raises:
      InputError: where the folder is no dataset.
    """
    filesystem, folder = open_filesystem(path)
    schema_path = f"{folder}/schema.json"
    if filesystem.get_file_info(schema_path).type != pa.fs.FileType.File:
        raise InputError(
            f"a dataset is a folder with a schema.json. Received: {path}. "
            "Write one with `tfadrec prepare`."
        )
    with filesystem.open_input_stream(schema_path) as stream:
        schema = Schema.from_json(stream.read().decode())

    def read(name: str) -> pa.Table:
        return pq.read_table(f"{folder}/{name}.parquet", filesystem=filesystem)

    try:
        ads, events, impressions = map(read, ("ads", "events", "impressions"))
        histories = (
            read("histories") if "history" in impressions.column_names else None
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"a dataset's tables must be readable. Received: {error}. Write "
            f"{path} again with `tfadrec prepare`."
        ) from error

    shown = ("request_id", "user_id", "ad_id", "timestamp", *schema.labels)
    for name, table, columns in (
        ("events", events, ("user_id", "ad_id", "event_type", "timestamp")),
        (
            "impressions",
            impressions,
            (*shown, *(f.name for f in schema.context)),
        ),
    ):
        missing = [c for c in columns if c not in table.column_names]
        if missing:
            raise InputError(
                f"{name}.parquet must have every column of the schema. "
                f"Received: no {', '.join(missing)}. Write the dataset again "
                "with `tfadrec prepare`."
            )

    catalogue = Catalogue.from_table(ads, schema.ad_features)
    user_ids = np.unique(
        np.concatenate(
            [events["user_id"].to_numpy(), impressions["user_id"].to_numpy()]
        )
    )
    users = rows_of(impressions["user_id"], user_ids)
    times = impressions["timestamp"].to_numpy()
    if histories is None:
        log, starts, ends = _own_histories(
            events, schema, catalogue, user_ids, users, times
        )
    else:
        log, starts, ends = _given_histories(
            histories, impressions["history"].to_numpy(), schema, catalogue
        )
    requests = impressions["request_id"].combine_chunks().dictionary_encode()
    return Dataset(
        schema=schema,
        catalogue=catalogue,
        user_ids=user_ids,
        events=log,
        impressions=Impressions(
            requests=requests.indices.to_numpy().astype(np.int64),
            users=users,
            ads=catalogue.rows(impressions["ad_id"]),
            times=times,
            labels={
                name: impressions[name].to_numpy().astype(np.float32)
                for name in schema.labels
            },
            context={
                f.name: encode_column(impressions[f.name], f)
                for f in schema.context
            },
            history_starts=starts,
            history_ends=ends,
            splits=impressions["split"].to_numpy()
            if "split" in impressions.column_names
            else None,
        ),
    )


def _own_histories(
    events: pa.Table,
    schema: Schema,
    catalogue: Catalogue,
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
        ads=catalogue.rows(events["ad_id"])[order],
        types=rows_of(
            events["event_type"], np.array(schema.event_types, dtype=object)
        )[order],
        times=event_times,
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
    catalogue: Catalogue,
) -> tuple[EventLog, np.ndarray, np.ndarray]:
    """Histories that the source brought along, one list per request."""
    lists = histories["ads"].combine_chunks()
    lengths = pc.list_value_length(lists).to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)
    ads = catalogue.rows(lists.flatten())
    # The one event type of such a source; the log does not tell the times.
    types = np.full(len(ads), min(1, len(schema.event_types)), np.int32)
    log = EventLog(users=None, ads=ads, types=types, times=None)
    return log, (ends - lengths)[history_rows], ends[history_rows]
