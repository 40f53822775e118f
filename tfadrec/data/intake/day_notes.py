"""What is said of rows that join a dataset, beside those that it has."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tfadrec.core.schema import Schema
from tfadrec.data.columns import as_array
from tfadrec.data.features import KINDS
from tfadrec.data.intake.feature_notes import cut_numbers
from tfadrec.data.intake.joined_log import JoinedLog, clicks_in
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.of_rows import key_of

_DAY = 86_400
#: Days that a log may pause without a word.
_PAUSE = 31
#: How many times as high or low a click rate may be, beyond so many standard
#: errors of chance.
_TIMES, _ERRORS = 3, 5
#: The table of a feature, by the entity that it belongs to.
_TABLES = {
    "ad": "ads",
    "user": "users",
    "context": "impressions",
    "candidate": "impressions",
    "event": "events",
}


def note_day(
    name: str,
    schema: Schema,
    day: Mapping[str, pa.Table],
    log: JoinedLog,
    ledger: Ledger,
) -> None:
    """Notes what a model of the rows before would read wrong of new ones.

    Numbers are cut to the range of the rows before, so a price that was in
    euros and is in cents now is the largest one everywhere. Where the times of
    a log were in seconds and are in milliseconds, or the other way round, the
    new rows lie far from all others. And where clicks are lost on the way to
    the log, what is learned of the day is that nobody clicks.

    Args:
      name: of the dataset that joins.
      schema: of both, with the first one's statistics.
      day: table -> the rows that are new, features called by their keys.
      log: the impressions of both.
      ledger: is told a line for each of these.
    """
    for feature in schema.features:
        table = day.get(_TABLES[feature.entity])
        if table is None or not KINDS[feature.kind].is_parsed:
            continue
        if cut := cut_numbers(feature, table[key_of(feature)]):
            ledger.note(
                f"the {feature.entity}'s {feature.name!r} of {name}: {cut}"
            )
    rows = f"impressions of {name}"
    times = as_array(log.new["timestamp"]).to_numpy()
    notes = [clicks_note(rows, clicks_in(log.new), log.clicks)]
    if len(times) and log.times is not None:
        both = int(times.min()), int(times.max())
        notes.append(times_note(rows, both, log.times))
    for note in notes:
        if note is not None:
            ledger.note(note)


def clicks_note(
    name: str, clicks: tuple[float, float], before: tuple[float, float]
) -> str | None:
    """A note where a click rate is of another size, as chance does not make it.

    Args:
      name: what rows they are, such as `impressions of tuesday`.
      clicks: how many clicks they have, and how many impressions.
      before: those of the rows before.
    """
    (clicked, rows), (others, other_rows) = clicks, before
    if not rows or not other_rows:
        return None
    both = (clicked + others) / (rows + other_rows)
    error = np.sqrt(both * (1 - both) * (1 / rows + 1 / other_rows))
    rate, other = clicked / rows, others / other_rows
    low, high = sorted((rate, other))
    if high - low <= _ERRORS * error or high <= _TIMES * low:
        return None
    return (
        f"of the {name} {rate:.2%} were clicked, and {other:.2%} of those "
        "before; check that the clicks are all there"
    )


def times_note(
    name: str, times: tuple[int, int], before: tuple[int, int]
) -> str | None:
    """A note where the times of rows are far from those of a log.

    Args:
      name: see `clicks_note`.
      times: of the oldest and the newest one, in seconds since 1970.
      before: those of the log.
    """
    mend = "check the times, their `unit` and their `format`"
    first, last = before
    days = (times[0] - last) / _DAY
    if times[1] < first:
        return (
            f"all {name} are older than the oldest one before, by "
            f"{(first - times[1]) / _DAY:,.1f} days; {mend}"
        )
    if days > max(_PAUSE, (last - first) / _DAY):
        return (
            f"the {name} begin {days:,.0f} days after the newest one before; "
            f"{mend}"
        )
    return None
