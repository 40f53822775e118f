"""What a run was begun with: `run.json`, and whose folder it is."""

import hashlib
import json
import os
import pathlib

from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.data.dataset import Dataset


def claim(out: pathlib.Path, record: dict[str, str]) -> None:
    """Writes run.json, or checks that the folder belongs to the same run.

    A folder with nothing but a run.json has no work in it that could be lost.

    Args:
      out: the run folder.
      record: `data`, `fingerprint` and `config` of the run.

    Raises:
      InputError: where the folder holds another run, or something else.
    """
    file = out / "run.json"
    fresh = file.with_suffix(".fresh")
    begun = out.exists() and {p.name for p in out.iterdir()} - {
        file.name,
        fresh.name,
    }
    if begun and file.is_file():
        found = read_record(out)
        for part, mend in (
            ("config", "other settings"),
            ("data", "another dataset"),
            ("fingerprint", "a dataset that has changed since"),
        ):
            if found[part] != record[part]:
                raise InputError(
                    f"a run goes on with what it was begun with. Received: "
                    f"{out}, begun with {mend}. Name another folder, or remove "
                    "this one."
                )
        return
    if begun:
        raise InputError(
            f"a run is written to a folder of its own. Received: {out}, which "
            "holds something else. Name another folder."
        )
    out.mkdir(parents=True, exist_ok=True)
    fresh.write_text(json.dumps(record, indent=1))
    os.replace(fresh, file)


def read_record(run: pathlib.Path) -> dict[str, str]:
    """What `claim` has written: `data`, `fingerprint` and `config`.

    Raises:
      InputError: where it cannot be read.
    """
    file = run / "run.json"
    try:
        found = read_json(file)
        record = {k: found[k] for k in ("data", "fingerprint", "config")}
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
