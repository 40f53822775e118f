"""Writing a dataset folder, all of it or nothing."""

import contextlib
import logging
import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfadrec.core.errors import TfadrecError
from tfadrec.core.one_class import one_class
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.core.schema import SCHEMA_FILE, Schema
from tfadrec.data.intake.arrow_memory import kept_memory
from tfadrec.data.intake.coded_tables import with_codes
from tfadrec.data.intake.feature_columns import named_columns
from tfadrec.data.intake.feature_notes import note_features
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.logs import Logs
from tfadrec.data.intake.request_rows import request_rows
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.user_rows import seen_in, share_users
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.intake.write_columns import write_columns

_LOG = logging.getLogger(__name__)
_ID_TYPES = {"string": pa.string(), "int64": pa.int64()}
#: The files of a dataset of version 0.1.0.
_NEEDED_1 = {
    "ads.parquet",
    "events.parquet",
    "impressions.parquet",
    "rejects.parquet",
    SCHEMA_FILE,
}
_OPTIONAL_1 = {"histories.parquet"}
_EVENT_COLUMNS = ("user_id", "ad_id", "event_type", "timestamp")


def check_out(out: str | pathlib.Path) -> pathlib.Path:
    """The folder to write to, where it may be written.

    What a killed call has left behind is cleared away.

    Raises:
      InputError: where something else than a dataset is in the way.
    """
    folder = _folder(out)
    folder.check()
    return folder.path


def is_made(out: str | pathlib.Path) -> bool:
    """Whether a dataset was written there; see `OwnedFolder.is_made`."""
    return _folder(out).is_made


def unmake(out: str | pathlib.Path) -> None:
    """Removes a dataset; see `OwnedFolder.remove`."""
    _folder(out).remove()


@contextlib.contextmanager
def workspace_of(out: str | pathlib.Path) -> Iterator[Workspace]:
    """Room for temporary files of a dataset that is being prepared.

    Raises:
      TfadrecError: where files there, or the dataset, cannot be written.
    """
    folder = _folder(out)
    try:
        with kept_memory(), Workspace(folder.path, folder.kind) as workspace:
            yield workspace
    except OSError as error:
        raise TfadrecError(
            f"a dataset must be writable to its folder. Received: {error}. "
            "Make room there, or name another folder."
        ) from error


def write_dataset(
    out: str | pathlib.Path,
    *,
    schema: Schema,
    ads: pa.Table,
    impressions: pa.Table,
    ledger: Ledger,
    users: pa.Table | None = None,
    events: pa.Table | None = None,
    histories: pa.Table | None = None,
) -> Summary:
    """Writes the tables of the data contract.

    Events are sorted by user and time, impressions by time and by the order in
    which their requests appear; both sorts are stable. The columns of features
    come by their keys (see `FeatureSpec`) and are called as the schema says.
    Beside the tables are their arrays, as models read them (`encoded`).

    The folder takes its place at once, so that no reader meets half of it, and
    holds a manifest of its files; see `OwnedFolder`.

    Args:
      out: the folder; a dataset in it is replaced, anything else is an error.
      schema: the feature spec.
      ads: ad_id, title, description, tags, and feature columns.
      impressions: request_id, user_id, ad_id, timestamp, labels, weight, and
        columns of context and candidate features.
      ledger: where all rows are booked.
      users: user_id and feature columns; None where nothing is known of users.
      events: user_id, ad_id, event_type, timestamp, and feature columns; None
        for no event log.
      histories: `ads`, one list of ad ids per row, to which an impression's
        `history` column refers by row number.

    Raises:
      InputError: where `out` is in use for something else.
      TfadrecError: where the folder cannot be written.
    """
    with workspace_of(out) as workspace:
        if events is None:
            events = _no_events(schema)
        shown, done = (
            SpilledTable.of(with_codes(table), workspace)
            for table in (impressions, events)
        )
        people = users if schema.of("user") else None
        return write_spilled(
            out,
            schema=schema,
            ads=ads,
            impressions=shown,
            requests=request_rows(shown, workspace),
            user_ids=share_users([shown, done], people, workspace),
            ledger=ledger,
            workspace=workspace,
            users=users,
            events=done,
            histories=None
            if histories is None
            else SpilledTable.of(histories, workspace),
        )


def write_spilled(
    out: str | pathlib.Path,
    *,
    schema: Schema,
    ads: pa.Table,
    impressions: SpilledTable,
    requests: SpilledTable,
    user_ids: pa.Array,
    ledger: Ledger,
    workspace: Workspace,
    users: pa.Table | None = None,
    events: SpilledTable | None = None,
    histories: SpilledTable | None = None,
) -> Summary:
    """Writes logs that may be larger than memory, see `write_dataset`.

    Args:
      out: as there, and so all that is not told here.
      schema: as above.
      ads: as above.
      impressions: as above, with users that are shared.
      requests: of the impressions, see `request_rows`.
      user_ids: of all users, see `share_users`.
      ledger: as above.
      workspace: where files are made on the way.
      users: as above.
      events: as above, with users that are shared.
      histories: as above.

    Raises:
      InputError: where `out` is in use for something else.
      OSError: where a folder cannot be written.
    """
    _LOG.info("Writing %s", out)
    folder = _folder(out)
    if events is None:
        events = SpilledTable.of(_no_events(schema), workspace)
    _note_ads(ads, ledger)
    _note_one_class(impressions, schema, ledger)
    _note_one_time(impressions, ledger)
    note_features(
        schema.features,
        {
            "ad": ads,
            "user": users,
            "context": impressions,
            "candidate": impressions,
            "event": events,
        },
        ledger,
    )
    seen = seen_in([impressions, events], user_ids)
    if users is not None:
        _note_users(seen, users["user_id"], ledger)
    tables = {"ads": ads, "users": users}
    given = {
        name: named_columns(table, schema)
        for name, table in tables.items()
        if table is not None
    }
    logs = Logs(impressions, requests, events, user_ids, histories)
    with folder.replacing() as fresh:
        for name, table in (given | {"rejects": ledger.rejects()}).items():
            pq.write_table(table, fresh / f"{name}.parquet")
        (fresh / SCHEMA_FILE).write_text(schema.to_json(), encoding="utf-8")
        written = write_columns(fresh, schema, given, logs, workspace)
    if written.repeated:
        ledger.note(
            f"{written.repeated:,} of {len(impressions):,} rows with weights "
            "are as an earlier one in all that is read of them, and count as "
            "well; if the log has lines twice, remove them"
        )
    for name, rows in written.other_contexts.items():
        if rows:
            ledger.note(
                f"the context's {name!r} is another in {rows:,} rows than in "
                "the first of their request, so requests cannot be learned as "
                "a whole; make it a candidate feature for that"
            )
    sizes = {
        "ads": len(ads),
        "users": len(seen),
        "events": len(events),
        "requests": written.requests,
        "impressions": len(impressions),
    }
    # A label may be called as one of these.
    called = {n: f"label {n}" if n in sizes else n for n in schema.labels}
    sizes |= dict.fromkeys(called.values(), 0)
    for batch in impressions.batches(schema.labels):
        for name, told in called.items():
            sizes[told] += pc.sum(pc.greater(batch[name], 0)).as_py() or 0
    return Summary(
        source=schema.source,
        out=str(out),
        counts=tuple(ledger.counts),
        sizes=sizes,
        notes=tuple(ledger.notes),
    )


def _no_events(schema: Schema) -> pa.Table:
    user, ad = _ID_TYPES[schema.user_id_type], _ID_TYPES[schema.ad_id_type]
    types = (user, ad, pa.string(), pa.int64())
    return pa.schema(
        list(zip(_EVENT_COLUMNS, types, strict=True))
    ).empty_table()


def _note_ads(ads: pa.Table, ledger: Ledger) -> None:
    copy = pc.binary_join_element_wise(ads["title"], ads["description"], "")
    without_text = pc.sum(pc.equal(copy, "")).as_py()
    if without_text:
        ledger.note(
            f"{without_text} ads have neither title nor description; they are "
            "known by their other columns"
        )


def _note_users(seen: pa.Array, ids: pa.ChunkedArray, ledger: Ledger) -> None:
    """Tells how many users of the log have no row in the table of users."""
    known = pc.sum(pc.is_in(seen, value_set=ids.combine_chunks())).as_py() or 0
    if known < len(seen):
        ledger.note_whole(
            f"{len(seen) - known:,} of {len(seen):,} users have no row in the "
            "table of users; their features count as missing"
        )


def _folder(out: str | pathlib.Path) -> OwnedFolder:
    return OwnedFolder(out, "dataset", older=_files_of_version_1)


def _files_of_version_1(folder: pathlib.Path) -> set[str]:
    """The files of a dataset of version 0.1.0, which had no manifests."""
    if not all((folder / name).is_file() for name in _NEEDED_1):
        return set()
    try:
        Schema.from_json((folder / SCHEMA_FILE).read_text(encoding="utf-8"))
        for name in _NEEDED_1 - {SCHEMA_FILE}:
            pq.read_metadata(folder / name)
    except (OSError, ValueError, pa.ArrowException):
        return set()
    return _NEEDED_1 | _OPTIONAL_1


def _note_one_time(impressions: SpilledTable, ledger: Ledger) -> None:
    """A line where nothing tells which rows to train on and which to test."""
    if "split" in impressions.column_names or len(impressions) < 2:
        return
    times = {
        time
        for batch in impressions.batches(["timestamp"])
        for time in pc.min_max(batch["timestamp"]).as_py().values()
    }
    if len(times) == 1:
        ledger.note_whole(
            "all impressions have one time, so none are newer, to validate and "
            "test on; where they are to be trained on, write `split: {valid: "
            "0.1, test: 0.1}` in `impressions`, or name a column of their parts"
        )


def _note_one_class(
    impressions: SpilledTable, schema: Schema, ledger: Ledger
) -> None:
    """A line for each binary label that has one value alone."""
    weighted = "weight" in impressions.column_names
    for label in schema.labels:
        if not pa.types.is_integer(impressions.schema.field(label).type):
            continue
        columns = [label, "weight"] if weighted else [label]
        # A byte for each row.
        values = []
        for batch in impressions.batches(columns):
            column = array_of(batch, label)
            values.append(
                column[array_of(batch, "weight") > 0] if weighted else column
            )
        found = one_class(label, np.concatenate(values), None, "rows")
        if found:
            mend = "check its column, conditions on it, and `where`"
            if weighted:
                mend = "check its column, or the `counts` it is of, and `where`"
            elif found.startswith("clicked is 1 "):
                mend = (
                    "where every row is a click or a purchase, draw rows "
                    "without one by a `sampling` section"
                )
            ledger.note_whole(
                f"{found}, so nothing can be learned of it; {mend}"
            )
