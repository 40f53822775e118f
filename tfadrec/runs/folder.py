"""The folders that trainings write to, and what is whose in them."""

import contextlib
import os
import pathlib
from collections.abc import Mapping

from tfadrec.core.manifest import entries, first_damaged
from tfadrec.core.read_json import read_json
from tfadrec.core.work_folder import WorkFolder

#: What a run was begun with, the history of its epochs, and its ranker.
RECORD, STATE, MODEL = "run.json", "state.json", "model.keras"
CHECKPOINTS = "checkpoints"
#: The folder in a run's of the dataset that days were joined to.
JOINED = "data"
#: Which day that was.
DAY = "day.json"
#: Up to where in a log that is followed the run has learned.
PLACE = "place.json"
#: What `tfadrec train` tells of baselines, and the page of `tfadrec evaluate`.
BASELINES, REPORT = "baselines.json", "report.html"
#: What `tfadrec calibrate` has learned.
CALIBRATION = "calibration.json"
#: By which programs that keep runs know this one.
TRACKING = "tracking.json"
#: TensorBoard and Weights & Biases add to their own files.
_LOGS = ("tensorboard", "tensorboard/*", "wandb", "wandb/*")
#: What a language model is begun with and what it becomes have manifests of
#: their own.
_MODELS = ("begin", "begin/*", "model", "model/*")
_REPLAYED = (
    "day-*",
    "joined-*",
    "frozen",
    "frozen/*",
    "updated-*",
    "retrained-*",
)
_AGAIN = "Remove the run's folder and train again."
_MENDS = {
    "": _AGAIN,
    MODEL: "Remove it and train again: that goes on from the checkpoints.",
    BASELINES: "Remove it: it is written again.",
    TRACKING: "Remove it: the run is then tracked as a new one.",
    CALIBRATION: "Remove it, and write it again with `tfadrec calibrate`.",
}
_OF_VERSION_1 = {
    *(RECORD, STATE, MODEL, BASELINES),
    f"{CHECKPOINTS}/epoch-0001.index",
}


def run_folder(out: str | os.PathLike[str]) -> WorkFolder:
    """The folder of a run, of `tfadrec train` or of `training.fit`."""
    return WorkFolder(
        out,
        "run",
        others=(*_LOGS, REPORT, JOINED, f"{JOINED}/*"),
        older=_files_of_version_1,
        mends=_MENDS,
    )


def pretraining_folder(out: str | os.PathLike[str]) -> WorkFolder:
    """The folder of `tfadrec pretrain`."""
    return WorkFolder(
        out,
        "pretraining",
        others=(*_LOGS, *_MODELS),
        older=_files_of_version_1,
        mends=_MENDS,
    )


def replay_folder(out: str | os.PathLike[str]) -> WorkFolder:
    """The folder of a replay; its days and runs have their own manifests."""
    return WorkFolder(out, "replay", others=_REPLAYED)


def clear_run(run: pathlib.Path) -> None:
    """Removes a run, with its logs of TensorBoard, and nothing else.

    Raises:
      InputError: where the folder holds anything else.
    """
    if not run.exists():
        return
    folder = run_folder(run)
    with folder.held():
        for log in run.glob("tensorboard/**/events.out.tfevents.*"):
            log.unlink()
        folder.clear()
        with contextlib.suppress(OSError):
            run.rmdir()


def require_intact(run: pathlib.Path, *names: str) -> None:
    """Refuses a run where a file is not as its manifest has it.

    Raises:
      InputError: with the name of the file, and what to do.
    """
    damaged = first_damaged(run, names)
    if damaged is not None:
        raise run_folder(run).damaged(damaged)


def _files_of_version_1(folder: pathlib.Path) -> set[str]:
    """The files of a run of version 0.1.0, which had no manifests."""
    try:
        record = read_json(folder / RECORD)
    except (OSError, ValueError):
        return set()
    if not isinstance(record, Mapping) or "fingerprint" not in record:
        return set()
    return _OF_VERSION_1 | {
        name
        for name, _ in entries(folder)
        if name.startswith(f"{CHECKPOINTS}/epoch-")
    }
