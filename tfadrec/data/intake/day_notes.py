"""What is said of rows that join a dataset, beside those that it has."""

from collections.abc import Mapping

import pyarrow as pa

from tfadrec.core.schema import Schema
from tfadrec.data.columns import as_array
from tfadrec.data.features import KINDS
from tfadrec.data.intake.feature_notes import cut_numbers
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.of_rows import key_of

_DAY = 86_400
#: Days that a log may pause without a word.
_PAUSE = 31
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
    before: tuple[int, int] | None,
    ledger: Ledger,
) -> None:
    """Notes what a model of the rows before would read wrong of new ones.

    Numbers are cut to the range of the rows before, so a price that was in
    euros and is in cents now is the largest one everywhere. And where the
    times of a log were in seconds and are in milliseconds, or the other way
    round, the new rows lie far from all others.

    Args:
      name: of the dataset that joins.
      schema: of both, with the first one's statistics.
      day: table -> the rows that are new, features called by their keys.
      before: the first and the last moment of the impressions that were
        there; None where there were none.
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
    times = as_array(day["impressions"]["timestamp"]).to_numpy()
    if not len(times) or before is None:
        return
    mend = "check its times, their `unit` and their `format`"
    first, last = before
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
