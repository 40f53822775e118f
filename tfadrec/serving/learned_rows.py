"""Which rows of the log a version of a bundle has learned."""

import dataclasses
import json
import pathlib

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.serving.version_file import read_version_file

#: The file of a version's folder.
FILE = "learned.json"
_NEWEST, _OLDEST = "newest_seconds", "oldest_seconds"
_CLICKS, _SHOWN = "clicks", "impressions"


@dataclasses.dataclass(frozen=True)
class LearnedRows:
    """What a version tells of the rows that it knows.

    Args:
      until: the time of the newest one, in seconds since 1970.
      since: that of the oldest one; None of versions that told the newest one
        alone.
      clicks: how many clicks they have, and how many impressions; see
        `clicks_of`. None of the same versions.
    """

    until: int
    since: int | None = None
    clicks: tuple[float, float] | None = None

    @classmethod
    def load(cls, version: pathlib.Path) -> "LearnedRows | None":
        """Reads the file of a version's folder.

        Returns:
          None where it does not tell.

        Raises:
          InputError: where the file is none.
        """
        return read_version_file(version, FILE, _of_file)


def write_learned(
    version: pathlib.Path, *parts: Dataset, until: int | None = None
) -> None:
    """Writes what rows a version knows.

    Of rows that all have one time nothing is written: it tells nothing.

    Args:
      version: the version's folder.
      *parts: the rows that its ranker has learned from, and those that it was
        chosen by.
      until: the time of the newest row that it was calibrated by, in seconds
        since 1970, or None where that is not known.
    """
    parts = tuple(part for part in parts if len(part))
    # Part by part: a copy of all times can be large.
    times = [part.impressions.times for part in parts]
    oldest = min((t.min() for t in times), default=0)
    newest = max((t.max() for t in times), default=0)
    if until is not None:
        newest = max(newest, until)
    if oldest < newest:
        clicks, shown = np.sum([clicks_of(part) for part in parts], axis=0)
        told = {
            _NEWEST: int(newest),
            _OLDEST: int(oldest),
            _CLICKS: float(clicks),
            _SHOWN: float(shown),
        }
        (version / FILE).write_text(json.dumps(told) + "\n", "utf-8")


def clicks_of(rows: Dataset) -> tuple[float, float]:
    """The clicks of rows, and the impressions that are behind them.

    Both count by the rows' weights. Where the rows keep a share r of the
    impressions without a click, each of these stands for 1 / r.
    """
    clicked = rows.impressions.labels["clicked"] > 0
    weights = rows.impressions.weights
    counts = np.bincount(clicked, weights, minlength=2)
    others, clicks = float(counts[0]), float(counts[1])
    return clicks, clicks + others / rows.schema.negatives_kept


def _of_file(told) -> LearnedRows:
    if _OLDEST not in told:
        return LearnedRows(int(told[_NEWEST]))
    return LearnedRows(
        int(told[_NEWEST]),
        int(told[_OLDEST]),
        (float(told[_CLICKS]), float(told[_SHOWN])),
    )
