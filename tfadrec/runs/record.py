"""What a run was begun with: `run.json`, and whose folder it is."""

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping

from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.data.dataset import Dataset

#: What the file is called.
RECORD = "run.json"
#: The folder in a run's of the dataset that days were joined to.
JOINED = "data"
#: Stands in it where `training.fit` wrote it.
FITTED = "written_by"


def claim(out: pathlib.Path, record: Mapping[str, str]) -> None:
    """Writes run.json, or checks that the folder belongs to the same run.

    A folder with nothing but a run.json has no work in it that could be lost.

    Args:
      out: the run folder.
      record: `data`, `fingerprint` and `config` of the run.

    Raises:
      InputError: where the folder holds another run, or something else.
    """
    if check_claim(out, record):
        return
    file = out / RECORD
    fresh = file.with_suffix(".fresh")
    out.mkdir(parents=True, exist_ok=True)
    fresh.write_text(json.dumps(record, indent=1))
    os.replace(fresh, file)


def check_claim(out: pathlib.Path, record: Mapping[str, str]) -> bool:
    """Refuses a folder that holds another run, or something else.

    Args:
      out: the run folder.
      record: what is known by now of `data`, `fingerprint` and `config`.

    Returns:
      Whether the run was begun there.

    Raises:
      InputError: with what is there.
    """
    if out.exists() and not out.is_dir():
        raise InputError(
            f"a run is written to a folder. Received: {out}, which is a file. "
            "Name another one."
        )
    there = {p.name for p in out.iterdir()} if out.exists() else set()
    begun = there - {
        RECORD,
        pathlib.Path(RECORD).with_suffix(".fresh").name,
        JOINED,
    }
    if not begun:
        return False
    if RECORD not in there:
        raise InputError(
            f"a run is written to a folder of its own. Received: {out}, which "
            "holds something else. Name another folder."
        )
    found = read_record(out)
    for part, mend in (
        ("config", "other settings"),
        ("data", "another dataset"),
        ("fingerprint", "a dataset that has changed since"),
    ):
        if part in record and found[part] != record[part]:
            raise InputError(
                f"a run goes on with what it was begun with. Received: "
                f"{out}, begun with {mend}. Name another folder, or remove "
                "this one."
            )
    return True


def read_record(run: pathlib.Path) -> dict[str, str]:
    """What a run was begun with: `data`, `fingerprint` and `config`.

    Of a run that `training.fit` wrote there is `FITTED` too, and where it does
    not know its dataset's folder, `data` and `fingerprint` are empty.

    Raises:
      InputError: where it cannot be read.
    """
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
