"""A log and the rows that came after it, as one that may exceed memory."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.intake import limits
from tfadrec.data.intake.coded_tables import joined, with_codes
from tfadrec.data.intake.feature_columns import keyed_columns
from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace

#: Which rows are the same row, in both logs.
_KEYS = {
    "events": ("user_id", "ad_id", "event_type", "timestamp"),
    "impressions": ("request_id", "user_id", "timestamp", "ad_id"),
}
_CLICKED, _WEIGHT = "clicked", "weight"
#: The column that tells which day brought an impression.
DAY = "joined"


@dataclasses.dataclass(frozen=True)
class JoinedLog:
    """A log of both.

    Args:
      log: all rows, features called by their keys.
      new: the rows that have come and were not there, likewise.
      times: the first and the last moment of the log before; None where it had
        no rows.
      clicks: how many clicks it had, and how many impressions, by weights;
        zeros of events.
    """

    log: SpilledTable
    new: pa.Table
    times: tuple[int, int] | None
    clicks: tuple[float, float]


def join_log(
    name: str,
    before: DatasetFiles,
    then: pa.Table,
    schema: Schema,
    workspace: Workspace,
    left: Sequence[str] = (),
) -> JoinedLog:
    """Puts the rows of a day after those of a log, of which it is read twice.

    Args:
      name: `events` or `impressions`.
      before: of the log.
      then: the day's rows.
      schema: of both.
      workspace: where rows go that are many.
      left: columns of the log that are left out.

    Raises:
      InputError: where they have other columns or types, or the log cannot be
        read.
    """
    same, times, clicks, newest = _looked_through(name, before, then)
    new = then.filter(pa.array(~same))
    if name == "impressions":
        if DAY in new.column_names:
            new = new.drop_columns(DAY)
        new = new.append_column(DAY, _days(len(new), newest + 1))
    log = SpilledTable(workspace)
    for batch in before.batches(name, limits.BATCH_ROWS):
        batch = batch.drop_columns(list(left))
        if name == "impressions" and DAY not in batch.column_names:
            batch = batch.append_column(DAY, _days(len(batch), 0))
        columns = batch.schema
        log.append(with_codes(keyed_columns(batch, schema)))
    new = keyed_columns(like_table(new, columns), schema)
    log.append(with_codes(new))
    return JoinedLog(log, new, times, clicks)


def clicks_in(impressions: pa.Table) -> tuple[float, float]:
    """The clicks and the impressions of some rows, by their weights."""
    clicked = impressions[_CLICKED].to_numpy() > 0
    if _WEIGHT not in impressions.column_names:
        return float(clicked.sum()), float(len(clicked))
    weights = impressions[_WEIGHT].to_numpy()
    return float(weights[clicked].sum()), float(weights.sum())


def like_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A day's table, with the columns and types that a log has.

    Raises:
      InputError: where it has others.
    """
    missing = [c for c in schema.names if c not in table.column_names]
    more = [c for c in table.column_names if c not in schema.names]
    if missing or more:
        column = (missing or more)[0]
        raise InputError(
            "both datasets must have the same columns. Received: "
            f"{column!r} in one of them alone. Prepare both alike."
        )
    try:
        return table.select(schema.names).cast(schema)
    except pa.ArrowException as error:
        line = " ".join(str(error).split())
        raise InputError(
            "both datasets must have the same types of columns. Received: "
            f"{line}. Prepare both alike."
        ) from error


def stands_in(
    rows: pa.Table, others: pa.Table, keys: Sequence[str]
) -> np.ndarray:
    """Which rows have the keys of one of the others, bool [n]."""
    if not len(rows) or not len(others):
        return np.zeros(len(rows), bool)
    codes = [
        _codes(rows[key].combine_chunks(), others[key].combine_chunks())
        for key in keys
    ]
    mine, theirs = (np.stack(part, axis=1) for part in zip(*codes, strict=True))
    _, places = np.unique(
        np.concatenate([theirs, mine]), axis=0, return_inverse=True
    )
    places = places.reshape(-1)
    known = np.zeros(places.max(initial=-1) + 1, bool)
    known[places[: len(theirs)]] = True
    return known[places[len(theirs) :]]


def _looked_through(
    name: str, before: DatasetFiles, then: pa.Table
) -> tuple[np.ndarray, tuple[int, int] | None, tuple[float, float], int]:
    """What a log tells of a day.

    Returns:
      Which of the day's rows it has, bool [n]; the log's first and last moment,
      None without rows; its clicks and impressions; and the number of its
      newest day.
    """
    keys, moments, newest = _KEYS[name], [], 0
    wanted = [*keys]
    if name == "impressions":
        there = before.columns(name).names
        wanted += [n for n in (_CLICKED, _WEIGHT, DAY) if n in there]
    first, last = pc.min_max(then["timestamp"]).values()
    near, counts = [], np.zeros(2)
    for batch in before.batches(name, limits.BATCH_ROWS, wanted):
        moment = batch["timestamp"]
        if len(batch):
            moments += pc.min_max(moment).as_py().values()
            if _CLICKED in wanted:
                counts += clicks_in(batch)
            if DAY in wanted:
                newest = max(newest, pc.max(batch[DAY]).as_py())
        # Mostly the log has no rows that are as new.
        is_near = pc.and_(
            pc.greater_equal(moment, first), pc.less_equal(moment, last)
        )
        near.append(batch.filter(is_near))
    find = _shown_before if name == "impressions" else stands_in
    same = find(then, joined(near), keys)
    times = (min(moments), max(moments)) if moments else None
    return same, times, (float(counts[0]), float(counts[1])), newest


def _shown_before(
    rows: pa.Table, others: pa.Table, keys: Sequence[str]
) -> np.ndarray:
    """Which impressions are there already, bool [n].

    A click is not, where the other one is a negative: one that was drawn, or
    whose click has come later.
    """
    clicked, other_clicked = (
        table[_CLICKED].to_numpy() > 0 for table in (rows, others)
    )
    clicks = others.filter(pa.array(other_clicked))
    known = np.where(
        clicked, stands_in(rows, clicks, keys), stands_in(rows, others, keys)
    )
    again = rows.filter(pa.array(known & clicked))
    request = [key for key in keys if key != "ad_id"]
    return known | (~clicked & stands_in(rows, again, request))


def _codes(one: pa.Array, two: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Numbers for the values of two columns, equal where they are equal."""
    both = pa.chunked_array([one, two.cast(one.type)]).combine_chunks()
    codes = pc.fill_null(both.dictionary_encode().indices, -1).to_numpy()
    return codes[: len(one)], codes[len(one) :]


def _days(rows: int, day: int) -> pa.Array:
    return pa.array(np.full(rows, day, np.int32))
