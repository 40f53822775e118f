"""Writing a dataset folder, all of it or nothing."""

import logging
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfadrec.core.errors import TfadrecError
from tfadrec.core.one_class import one_class
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.core.schema import SCHEMA_FILE, Schema
from tfadrec.data.encoded import column_files
from tfadrec.data.encoded.encode_tables import encode_tables
from tfadrec.data.intake.feature_columns import named_columns
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.summary import Summary

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
    _LOG.info("Writing %s", out)
    folder = _folder(out)
    folder.check()
    user, ad = _ID_TYPES[schema.user_id_type], _ID_TYPES[schema.ad_id_type]
    if events is None:
        types = (user, ad, pa.string(), pa.int64())
        empty = pa.schema(list(zip(_EVENT_COLUMNS, types, strict=True)))
        events = empty.empty_table()
    events = events.take(_by_user_and_time(events))
    requests = impressions["request_id"].combine_chunks().dictionary_encode()
    order = _order(
        impressions["timestamp"].to_numpy(), requests.indices.to_numpy()
    )
    impressions = impressions.take(order)
    tables = {
        "ads": ads,
        "events": events,
        "impressions": impressions,
        "rejects": ledger.rejects(),
    }
    if users is not None:
        tables["users"] = users
    if histories is not None:
        tables["histories"] = histories
    tables = {n: named_columns(table, schema) for n, table in tables.items()}
    copy = pc.binary_join_element_wise(ads["title"], ads["description"], "")
    without_text = pc.sum(pc.equal(copy, "")).as_py()
    if without_text:
        ledger.note(
            f"{without_text} ads have neither title nor description; they are "
            "known by their other columns"
        )
    for note in _one_class_notes(impressions, schema):
        ledger.note(note)
    seen = pc.unique(
        pa.chunked_array(
            [*impressions["user_id"].chunks, *events["user_id"].chunks], user
        )
    )
    if users is not None:
        known = pc.is_in(seen, value_set=users["user_id"].combine_chunks())
        if not pc.all(known).as_py():
            ledger.note(
                f"{len(seen) - pc.sum(known).as_py():,} of {len(seen):,} users "
                "have no row in the table of users; their features count as "
                "missing"
            )

    try:
        with folder.replacing() as fresh:
            for name, table in tables.items():
                pq.write_table(table, fresh / f"{name}.parquet")
            (fresh / SCHEMA_FILE).write_text(schema.to_json(), encoding="utf-8")
            column_files.save(encode_tables(schema, tables), fresh)
    except OSError as error:
        raise TfadrecError(
            f"a dataset must be writable to its folder. Received: {error}. "
            "Make room there, or name another folder."
        ) from error
    sizes = {
        "ads": len(ads),
        "users": len(seen),
        "events": len(events),
        "requests": len(requests.dictionary),
        "impressions": len(impressions),
    }
    sizes |= {
        name: pc.sum(pc.greater(impressions[name], 0)).as_py()
        for name in schema.labels
    }
    return Summary(
        source=schema.source,
        out=str(out),
        counts=tuple(ledger.counts),
        sizes=sizes,
        notes=tuple(ledger.notes),
    )


def _by_user_and_time(events: pa.Table) -> np.ndarray:
    """The order of the events' rows; of equal ones the first comes first."""
    # Each id is compared once, and not once for every pair of rows.
    users = events["user_id"].combine_chunks().dictionary_encode()
    ranks = np.empty(len(users.dictionary), np.int32)
    ranks[pc.sort_indices(users.dictionary).to_numpy()] = np.arange(len(ranks))
    return _order(
        ranks[users.indices.to_numpy()], events["timestamp"].to_numpy()
    )


def _order(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """The order by `first`, and where that is equal by `then`; it is stable."""
    if not len(first):
        return np.arange(0)
    low, span = int(then.min()), int(then.max()) - int(then.min()) + 1
    least = int(first.min())
    if (int(first.max()) - least + 1) * span >= 2**63:
        return np.lexsort((then, first))
    # One key is sorted in half of the time of two.
    key = (first.astype(np.int64) - least) * span + (then - low)
    return np.argsort(key, kind="stable")


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


def _one_class_notes(impressions: pa.Table, schema: Schema) -> list[str]:
    """A line for each binary label that has one value alone."""
    weights = None
    if "weight" in impressions.column_names:
        weights = impressions["weight"].to_numpy()
    notes = []
    for label in schema.labels:
        if not pa.types.is_integer(impressions[label].type):
            continue
        values = impressions[label].to_numpy()
        found = one_class(label, values, weights, "rows")
        if found:
            mend = "check its column and `where`"
            if found.startswith("clicked is 1 "):
                mend = (
                    "where every row is a click or a purchase, draw rows "
                    "without one by a `sampling` section"
                )
            notes.append(f"{found}, so nothing can be learned of it; {mend}")
    return notes
