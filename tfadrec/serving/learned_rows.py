"""Until when a version of a bundle has learned from the log."""

import json
import pathlib

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.data.dataset import Dataset

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
    times = np.concatenate([part.impressions.times for part in parts])
    if len(times) and np.ptp(times) > 0:
        told = {_NEWEST: int(times.max())}
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
    try:
        return int(read_json(version / FILE)[_NEWEST])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{FILE} must be as it was written. Received: {version}, where it "
            f"cannot be read ({error!r}). Export the run again, and remove "
            "that version."
        ) from error
