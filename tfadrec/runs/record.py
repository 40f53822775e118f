"""What a run was begun with: `run.json`, and whose folder it is."""

import contextlib
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping

from tfadrec.core.errors import InputError
from tfadrec.core.manifest import NAME
from tfadrec.core.read_json import read_json
from tfadrec.core.scratch_folder import is_scratch
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.runs.folder import JOINED, RECORD, require_intact

#: Stands in it where `training.fit` wrote it.
FITTED = "written_by"


@contextlib.contextmanager
def claimed(folder: WorkFolder, record: Mapping[str, str]) -> Iterator[None]:
    """Holds the folder of a run, and writes or checks its run.json.

    A run that fails before it has written anything else leaves no folder.

    Args:
      folder: of the run.
      record: `data`, `fingerprint` and `config` of the run.

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


def check_claim(folder: WorkFolder, record: Mapping[str, str]) -> None:
    """Refuses a folder that `claimed` would refuse.

    Args:
      folder: of the run.
      record: what is known by now of `data`, `fingerprint` and `config`.

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
    ):
        if part in record and found[part] != record[part]:
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
        path.name not in (RECORD, NAME, JOINED) and not is_scratch(path.name)
        for path in there
    )


def read_record(run: pathlib.Path) -> dict[str, str]:
    """What a run was begun with: `data`, `fingerprint` and `config`.

    Of a run that `training.fit` wrote there is `FITTED` too, and where it does
    not know its dataset's folder, `data` and `fingerprint` are empty.

    Raises:
      InputError: where it cannot be read.
    """
    require_intact(run, RECORD)
    file = run / RECORD
    try:
        found = read_json(file)
        record = {k: found[k] for k in ("data", "fingerprint", "config")}
        record |= {k: found[k] for k in (FITTED,) if k in found}
        if not all(isinstance(text, str) for text in record.values()):
            raise TypeError("texts")
        return record
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "a run's run.json must say what it was begun with. Received: "
            f"{file}, which does not. Remove the run's folder and train again."
        ) from error


def fingerprint(dataset: Dataset) -> str:
    """Changes where a row of the catalogue, a user or an impression does."""
    catalogue, rows = dataset.catalogue, dataset.impressions
    digest = hashlib.sha256(dataset.schema.to_json().encode())
    for texts in (
        catalogue.ad_ids,
        dataset.user_ids,
        catalogue.titles,
        catalogue.descriptions,
        catalogue.tags,
    ):
        digest.update("\n".join(map(str, texts)).encode())
    for columns in (
        catalogue.tables(),
        dataset.users,
        dataset.events.columns,
        rows.columns,
        rows.labels,
    ):
        for name, column in sorted(columns.items()):
            digest.update(name.encode() + column.tobytes())
    for column in (
        rows.users,
        rows.ads,
        rows.times,
        rows.history_starts,
        rows.history_ends,
        dataset.events.ads,
        dataset.events.types,
    ):
        digest.update(column.tobytes())
    for optional in (rows.weights, dataset.events.times):
        if optional is not None:
            digest.update(optional.tobytes())
    if rows.splits is not None:
        digest.update("\n".join(map(str, rows.splits)).encode())
    return digest.hexdigest()
