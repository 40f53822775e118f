"""Writing what models read of a dataset, and the logs that it is made of."""

import collections
import pathlib
from collections.abc import Mapping

import pyarrow as pa

from tfadrec.core.schema import Schema
from tfadrec.data.columns import as_array
from tfadrec.data.encoded import column_files
from tfadrec.data.encoded.encode_tables import (
    check_columns,
    encode_rates,
    encode_users,
)
from tfadrec.data.encoded.encoded import arrays_of_rates, arrays_of_users
from tfadrec.data.features import counted
from tfadrec.data.intake.event_parts import EventParts, write_histories
from tfadrec.data.intake.feature_columns import named_columns
from tfadrec.data.intake.logs import Logs
from tfadrec.data.intake.place import Place
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.intake.write_impressions import write_impressions
from tfadrec.data.intake.written import Written


def write_columns(
    folder: pathlib.Path,
    schema: Schema,
    tables: Mapping[str, pa.Table],
    logs: Logs,
    workspace: Workspace,
) -> Written:
    """Writes the tables of events and impressions, and the arrays of all.

    Args:
      folder: of the dataset.
      schema: the feature spec.
      tables: `ads`, and where there are some `users`, with the names of columns
        that the dataset has.
      logs: with columns of features by their keys.
      workspace: where files are made on the way.

    Returns:
      As from `write_impressions`.

    Raises:
      InputError: where a column of the schema is missing.
      OSError: where files cannot be written.
    """
    _check(schema, tables, logs)
    people = tables.get("users") if schema.of("user") else None
    column_files.save_user_ids(logs.users, folder)
    of_users = encode_users(people, logs.users, schema)
    with column_files.writing(folder) as writer:
        ad_ids = as_array(tables["ads"]["ad_id"])
        place = Place(folder, schema, ad_ids, writer, workspace)
        writer.append(arrays_of_users(of_users))
        parts = EventParts(
            place,
            logs.events,
            logs.impressions,
            len(logs.users),
        )
        if logs.histories is not None:
            collections.deque(parts.write_tables(), maxlen=0)
            slices = write_histories(place, logs.histories, logs.impressions)
        else:
            slices = parts.write()
        written = write_impressions(
            place, logs.impressions, logs.requests, slices
        )
    if counted(schema.features):
        log, shown = column_files.saved_logs(folder, schema)
        rates = encode_rates(schema, tables["ads"], of_users, shown, log)
        with column_files.writing(folder) as writer:
            writer.append(arrays_of_rates(rates))
    return written


def _check(schema: Schema, tables: Mapping[str, pa.Table], logs: Logs) -> None:
    """Refuses tables that lack a column of the schema."""
    columns = {name: table.column_names for name, table in tables.items()}
    for name in ("events", "impressions"):
        empty = getattr(logs, name).schema.empty_table()
        columns[name] = named_columns(empty, schema).column_names
    # Requests without ids are given some, see `with_request_ids`.
    columns["impressions"] += ["request_id"]
    check_columns(schema, columns)
