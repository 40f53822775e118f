"""What is odd about the rows that versions of a bundle are judged by."""

import pathlib

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.data.intake.day_notes import clicks_note, times_note
from tfadrec.data.newest_events import NewestEvents
from tfadrec.monitoring import Profile
from tfadrec.monitoring.profile import FILE
from tfadrec.serving.learned_rows import LearnedRows, clicks_of

_ROWS = "judged impressions"
#: How many times as long the histories of the training rows may be.
_TIMES = 2


def judged_notes(
    rows: Dataset, version: pathlib.Path, learned: LearnedRows | None
) -> tuple[str, ...]:
    """What tells that rows are not what a version will meet.

    Their times lie far behind all that it has learned, or many times as many
    or as few of them were clicked, as `update` says of a day; or the dataset
    lacks what their users did before.

    Args:
      rows: those that are judged, at least one.
      version: the version's folder.
      learned: what it tells of the rows that it has learned.

    Returns:
      A line for each of these.
    """
    found = [_histories_note(rows, version)]
    if learned is not None and learned.since is not None:
        times = rows.impressions.times
        before = learned.since, learned.until
        found.append(
            times_note(_ROWS, (int(times.min()), int(times.max())), before)
        )
    if learned is not None and learned.clicks is not None:
        found.append(clicks_note(_ROWS, clicks_of(rows), learned.clicks))
    return tuple(note for note in found if note is not None)


def _histories_note(rows: Dataset, version: pathlib.Path) -> str | None:
    """Notes histories less than half as long as those of training rows."""
    if not (version / FILE).is_file():
        return None
    profile = Profile.load(version)
    learned = profile.references.get("history_length")
    if learned is None or not learned.bins.edges:
        return None
    shares = np.cumsum(learned.counts) / sum(learned.counts)
    # Bins are between quantiles, of which the median is one.
    middle = learned.bins.edges[int(np.searchsorted(shares, 0.5))]
    newest = NewestEvents(
        rows.events, rows.schema.skipped, profile.history_length
    )
    shown = rows.impressions
    lengths = newest(shown.history_starts, shown.history_ends)[1].numpy()
    judged = np.median(lengths)
    if _TIMES * judged >= middle:
        return None
    return (
        f"the median history of the {_ROWS} has {judged:g} events, and that of "
        f"the training rows {middle:g}; name a dataset that has what users did "
        "before, such as the folder `data` of an updated run"
    )
