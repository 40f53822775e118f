"""The folder of a search, and small files in it."""

import os
import pathlib
from typing import Any

from tfadrec.core import read_json as core
from tfadrec.core.errors import InputError
from tfadrec.core.work_folder import WorkFolder

#: What was searched for, and what was found.
RECORD = "search.json"
BOARD_TEXT, BOARD, BEST = "leaderboard.txt", "leaderboard.json", "best.yaml"
REPORT = "report.html"
#: keras-tuner and the processes of trials write below these folders.
_TRIALS = (
    "trials",
    "trials/oracle.json",
    "trials/tuner*.json",
    "trials/.tfadrec-*",
    "trials/trial_*",
    "final",
    "final/trial_*",
)


def search_folder(out: str | os.PathLike[str]) -> WorkFolder:
    """The folder of a search."""
    return WorkFolder(
        out,
        "search",
        others=(REPORT, *_TRIALS),
        older=_files_of_version_1,
        mends={"": "Remove the folder of the search and search again."},
    )


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """What a file holds; nothing where it is not there.

    Raises:
      InputError: where it holds no object of JSON.
    """
    if not path.is_file():
        return {}
    try:
        found = core.read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"a sweep must have the files that it wrote. Received: {path}: "
            f"{error}. Begin with another folder."
        ) from error
    if not isinstance(found, dict):
        raise InputError(
            f"a sweep must have the files that it wrote. Received: {path}, "
            "which holds no object. Begin with another folder."
        )
    return found


def _files_of_version_1(folder: pathlib.Path) -> set[str]:
    """The files of a search of version 0.1.0, which had no manifests."""
    try:
        found = read_json(folder / RECORD)
    except InputError:
        return set()
    of_search = {"space", "tuner"} <= found.keys()
    return {RECORD, BOARD_TEXT, BOARD, BEST} if of_search else set()
