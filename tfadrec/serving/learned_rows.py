"""Until when a version of a bundle has learned from the log."""

import json
import pathlib

from tfadrec.data.dataset import Dataset
from tfadrec.serving.version_file import read_version_file

#: The file of a version's folder.
FILE = "learned.json"
_NEWEST = "newest_seconds"


def write_learned(version: pathlib.Path, *parts: Dataset) -> None:
    """Writes the time of the newest row that a version knows.

    Of rows that all have one time nothing is written: it tells nothing.

    Args:
      version: the version's folder.
      *parts: the rows that its ranker has learned from, and those that it was
        chosen and calibrated by.
    """
    # Part by part: a copy of all times can be large.
    times = [part.impressions.times for part in parts if len(part)]
    newest = max((t.max() for t in times), default=0)
    if any(t.min() < newest for t in times):
        told = {_NEWEST: int(newest)}
        (version / FILE).write_text(json.dumps(told) + "\n", "utf-8")


def learned_until(version: pathlib.Path) -> int | None:
    """The time of the newest row that a version knows, in seconds since 1970.

    Args:
      version: the version's folder.

    Returns:
      None where it does not tell.

    Raises:
      InputError: where the file is none.
    """
    return read_version_file(version, FILE, lambda told: int(told[_NEWEST]))
