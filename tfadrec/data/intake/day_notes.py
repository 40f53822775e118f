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
    _note_clicks(name, log, ledger)
    _note_times(name, log, ledger)


def _note_clicks(name: str, log: JoinedLog, ledger: Ledger) -> None:
    """Notes a click rate of another size, as chance does not make it."""
    (clicks, rows), (others, other_rows) = clicks_in(log.new), log.clicks
    if not rows or not other_rows:
        return
    both = (clicks + others) / (rows + other_rows)
    error = np.sqrt(both * (1 - both) * (1 / rows + 1 / other_rows))
    rate, other = clicks / rows, others / other_rows
    if abs(rate - other) > _ERRORS * error and max(rate, other) > _TIMES * min(
        rate, other
    ):
        ledger.note(
            f"of the impressions of {name} {rate:.2%} were clicked, and "
            f"{other:.2%} of those before; check that its clicks are all there"
        )


def _note_times(name: str, log: JoinedLog, ledger: Ledger) -> None:
    """Notes times that are far from those of the log."""
    times = as_array(log.new["timestamp"]).to_numpy()
    if not len(times) or log.times is None:
        return
    mend = "check its times, their `unit` and their `format`"
    first, last = log.times
    days = (int(times.min()) - last) / _DAY
    if times.max() < first:
        ledger.note(
            f"all impressions of {name} are older than the oldest one before, "
            f"by {(first - int(times.max())) / _DAY:,.1f} days; {mend}"
        )
    elif days > max(_PAUSE, (last - first) / _DAY):
        ledger.note(
            f"the impressions of {name} begin {days:,.0f} days after the "
            f"newest one before; {mend}"
        )
