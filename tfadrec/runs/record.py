"""What a run was begun with: `run.json`, and whose folder it is."""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.manifest import NAME
from tfadrec.core.read_json import read_json
from tfadrec.core.scratch_folder import is_scratch
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.runs.folder import DAY, JOINED, PLACE, RECORD, require_intact

#: Stands in it where `training.fit` wrote it.
FITTED = "written_by"
#: And how an update learns, of which its settings say nothing.
LEARNING = "learning"
#: And the fingerprints of the datasets that its own grew from.
GROWN = "grown_from"
_MORE = (FITTED, LEARNING, GROWN)


@contextlib.contextmanager
def claimed(folder: WorkFolder, record: Mapping[str, str]) -> Iterator[None]:
    """Holds the folder of a run, and writes or checks its run.json.

    A run that fails before it has written anything else leaves no folder.

    Args:
      folder: of the run.
      record: `data`, `fingerprint` and `config` of the run, and its `settings`
        where the size of the data told some of them; `LEARNING` of an update.

    Raises:
      InputError: where the folder holds another run, or something else, or
        another process is writing to it.
    """
    with folder.held(), begun(folder, record):
        yield


@contextlib.contextmanager
def begun(folder: WorkFolder, record: Mapping[str, str]) -> Iterator[None]:
    """The same in a folder that is held."""
    if not is_begun(folder, record):
        folder.write_text(RECORD, json.dumps(record, indent=1))
    try:
        yield
    except BaseException:
        if not _has_work(folder):
            folder.clear()
        raise


def of_update(data: str, rehearse: float, rate: float) -> dict[str, str]:
    """What is known of an update's record before anything is read."""
    steps = {"rehearse": float(rehearse), "rate": float(rate)}
    return {"data": data, LEARNING: json.dumps(steps)}


def grown_from(record: Mapping[str, str]) -> dict[str, str]:
    """What the record of a run's update says of where its dataset is from.

    Args:
      record: of the run that it goes on with.
    """
    # One that `training.fit` wrote may not know its own.
    known = [record["fingerprint"], *record.get(GROWN, "").split()]
    return {GROWN: " ".join(filter(None, known))}


def check_claim(folder: WorkFolder, record: Mapping[str, str]) -> None:
    """Refuses a folder that `claimed` would refuse.

    Args:
      folder: of the run.
      record: what is known by now of what `claimed` is given.

    Raises:
      InputError: with what is there.
    """
    folder.check()
    is_begun(folder, record)


def is_begun(folder: WorkFolder, record: Mapping[str, str]) -> bool:
    """Whether a run has work in a folder that would be lost.

    Raises:
      InputError: where that is another run.
    """
    if not _has_work(folder):
        return False
    found = read_record(folder.path)
    for part, mend in (
        ("config", "other settings"),
        ("data", "another dataset"),
        ("fingerprint", "a dataset that has changed since"),
        (LEARNING, "another `rehearse` or `rate`"),
    ):
        if part in record and found.get(part) != record[part]:
            raise InputError(
                f"a run goes on with what it was begun with. Received: "
                f"{folder.out}, begun with {mend}. Name another folder, or "
                "remove this one."
            )
    return True


def _has_work(folder: WorkFolder) -> bool:
    """Whether there is more in a folder than what says how it was begun."""
    there = folder.path.iterdir() if folder.path.is_dir() else ()
    return any(
        path.name not in (RECORD, NAME, JOINED, DAY, PLACE)
        and not is_scratch(path.name)
        for path in there
    )


def read_record(run: pathlib.Path) -> dict[str, str]:
    """What a run was begun with: `data`, `fingerprint` and `config`.

    `settings` are those of `config`, and what the size of the data told. Of an
    update there are `LEARNING` and `GROWN` too. Of a run that `training.fit`
    wrote there is `FITTED`, and where it does not know its dataset's folder,
    `data` and `fingerprint` are empty.

    Raises:
      InputError: where it cannot be read.
    """
    require_intact(run, RECORD)
    file = run / RECORD
    try:
        found = read_json(file)
        record = {k: found[k] for k in ("data", "fingerprint", "config")}
        record["settings"] = found.get("settings", found["config"])
        record |= {k: found[k] for k in _MORE if k in found}
        if not all(isinstance(text, str) for text in record.values()):
            raise TypeError("texts")
        return record
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "a run's run.json must say what it was begun with. Received: "
            f"{file}, which does not. Remove the run's folder and train again."
        ) from error


def place_of_data(run: pathlib.Path, record: Mapping[str, str]) -> str:
    """The dataset folder that a run's record names, on this machine.

    Only who names an address on the command line may have one opened: a file
    that others wrote would choose whom this machine asks, and waits for.

    Args:
      run: the folder.
      record: of `read_record`.

    Raises:
      InputError: where it names an address.
    """
    place = record["data"]
    if "://" in place:
        raise InputError(
            "a run's run.json names a dataset folder on this machine. "
            f"Received: {run}, made with {place[:200]}. Name that with --data, "
            "in Python with data=, or train on a copy of it."
        )
    return place


def fingerprint(dataset: Dataset) -> str:
    """Changes where anything does that a model can read of a dataset.

    That is the schema, the catalogue, the users and their features, and every
    field of the event log and of the impressions.
    """
    catalogue = dataset.catalogue
    parts: dict[str, Any] = {
        "schema": [dataset.schema.to_json()],
        "ad_ids": catalogue.ad_ids,
        "titles": catalogue.titles,
        "descriptions": catalogue.descriptions,
        "tags": catalogue.tags,
        "ads": catalogue.tables(),
        "user_ids": dataset.user_ids,
        "users": dataset.users,
        "events": _fields(dataset.events),
        "impressions": _fields(dataset.impressions),
    }
    digest = hashlib.sha256()
    _add(digest, "", parts)
    return digest.hexdigest()


def _fields(part: Any) -> dict[str, Any]:
    return {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}


def _add(digest: Any, name: str, part: Any) -> None:
    """Adds a part by its name, so that no two parts can be taken for one."""
    digest.update(f"{name}\0".encode())
    if isinstance(part, Mapping):
        for inner in sorted(part):
            _add(digest, f"{name}/{inner}", part[inner])
    elif isinstance(part, np.ndarray) and part.dtype.kind not in "OU":
        digest.update(f"{part.dtype.str}{part.shape}\0".encode())
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
    elif part is not None:
        texts = list(map(str, part))
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        digest.update(f"texts{len(texts)}\0".encode() + sizes.tobytes())
        digest.update("".join(texts).encode("utf-8", "surrogatepass"))
