"""A run folder: everything between `tfadrec train` and `tfadrec export`."""

import dataclasses
import hashlib
import json
import os
import pathlib

from tfadrec import models
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset, open_dataset
from tfadrec.data.split import split_by_time
from tfadrec.training.build import build_ranker, with_text
from tfadrec.training.fit import fit


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained ranker and the rows that it was made with.

    Args:
      ranker: with its best weights.
      train: what it learned from.
      valid: what it was chosen by.
      test: what it has not seen.
      config: its settings.
      history: one dict of metrics per epoch.
    """

    ranker: models.AdRanker
    train: Dataset
    valid: Dataset
    test: Dataset
    config: RunConfig
    history: list[dict[str, float]]


def train(
    data: str | pathlib.Path,
    config: RunConfig,
    out: str | pathlib.Path,
    *,
    progress: bool = True,
) -> Run:
    """Trains a ranker on a dataset and writes the run folder.

    Called again after being killed, it goes on where it was; called again after
    it ended, it reads the result.

    Args:
      data: a dataset folder.
      config: the settings.
      out: the run folder; a new one, or that of the same run.
      progress: whether to show progress on standard error.

    Raises:
      InputError: where the folder holds another run, or an argument is wrong.
    """
    out = pathlib.Path(out)
    dataset = open_dataset(data)
    record = {
        "data": str(data if "://" in str(data) else pathlib.Path(data).resolve()),
        "fingerprint": _fingerprint(dataset),
        "config": config.to_yaml(),
    }
    _claim(out, record)
    dataset, parts = _parts(dataset, config)
    dataset = with_text(dataset, config.text)
    parts = [part.with_catalogue(dataset.catalogue) for part in parts]
    settings = dict(config.fit)
    ranker = build_ranker(config, dataset, settings.get("seed", 0))
    try:
        history = fit(
            ranker, *parts[:2], out, progress=progress, **settings
        )
    except TypeError as error:
        raise InputError(f"`fit`: {error}") from error
    fresh = out / "fresh.keras"
    ranker.save(fresh)
    os.replace(fresh, out / "model.keras")
    return Run(ranker, *parts, config, history)


def load_run(run: str | pathlib.Path) -> Run:
    """Reads a run folder.

    Raises:
      InputError: where the folder is no finished run, or its dataset has
        changed since.
    """
    run = pathlib.Path(run)
    if not (run / "model.keras").is_file():
        raise InputError(
            f"a run is a folder with a trained model. Received: {run}, which "
            "has no model.keras. Make or finish it with `tfadrec train`."
        )
    record = json.loads((run / "run.json").read_text())
    config = RunConfig.from_yaml(record["config"])
    dataset = open_dataset(record["data"])
    if _fingerprint(dataset) != record["fingerprint"]:
        raise InputError(
            f"a run is read with the dataset it was made with. Received: "
            f"{record['data']}, which has changed since. Train again."
        )
    _, parts = _parts(dataset, config)
    ranker = keras.models.load_model(run / "model.keras")
    history = json.loads((run / "state.json").read_text())["history"]
    return Run(ranker, *parts, config, history)


def _parts(dataset: Dataset, config: RunConfig):
    settings = dict(config.data)
    dataset = dataset.with_history_length(settings.pop("history_length", 50))
    try:
        return dataset, split_by_time(dataset, **settings)
    except TypeError as error:
        raise InputError(f"`data`: {error}") from error


def _claim(out: pathlib.Path, record: dict[str, str]) -> None:
    """Writes run.json, or checks that the folder belongs to the same run."""
    file = out / "run.json"
    if file.is_file():
        found = json.loads(file.read_text())
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
    if out.exists() and any(out.iterdir()):
        raise InputError(
            f"a run is written to a folder of its own. Received: {out}, which "
            "holds something else. Name another folder."
        )
    out.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".fresh")
    fresh.write_text(json.dumps(record, indent=1))
    os.replace(fresh, file)


def _fingerprint(dataset: Dataset) -> str:
    """Changes where a catalogue row or a user row would mean something else."""
    digest = hashlib.sha256(dataset.schema.to_json().encode())
    for ids in (dataset.catalogue.ad_ids, dataset.user_ids):
        digest.update("\n".join(map(str, ids)).encode())
    digest.update(str(len(dataset)).encode())
    return digest.hexdigest()
