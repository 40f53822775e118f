"""A run folder: everything between `tfadrec train` and `tfadrec export`."""

import dataclasses
import os
import pathlib

from tfadrec import models
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.core.safe_load import check_model, load_model
from tfadrec.data.dataset import Dataset
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.split import split_by_time
from tfadrec.training import version_1
from tfadrec.training.build import build_ranker
from tfadrec.training.fit import fit
from tfadrec.training.record import claim, fingerprint, read_record
from tfadrec.training.saved_state import best_epoch, read_history
from tfadrec.training.settings import refuse_unknown, settings_of
from tfadrec.training.text import with_text


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained ranker and the rows that it was made with.

    Args:
      ranker: with its best weights.
      dataset: all of the rows.
      train: what it learned from.
      valid: what it was chosen by.
      test: what it has not seen.
      config: its settings.
      history: one dict of metrics per epoch.
    """

    ranker: models.AdRanker
    dataset: Dataset
    train: Dataset
    valid: Dataset
    test: Dataset
    config: RunConfig
    history: list[dict[str, float]]

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the epoch whose weights the ranker has."""
        return self.history[best_epoch(self.history, f"val_{self.monitor}") - 1]

    @property
    def monitor(self) -> str:
        """The metric that tells the best epoch, without `val_`."""
        return self.config.fit.get("monitor", "val_auc").removeprefix("val_")


def train(
    data: str | pathlib.Path,
    config: RunConfig,
    out: str | pathlib.Path,
    *,
    until: int | None = None,
    progress: bool = True,
) -> Run:
    """Trains a ranker on a dataset and writes the run folder.

    Called again after being killed, it goes on where it was; called again after
    it ended, it reads the result.

    Args:
      data: a dataset folder.
      config: the settings.
      out: the run folder; a new one, or that of the same run.
      until: the epoch to stop after for now; see `training.fit`.
      progress: whether to show progress on standard error.

    Raises:
      InputError: where the folder holds another run, or an argument is wrong.
    """
    out = pathlib.Path(out)
    dataset = open_dataset(data)
    record = {
        "data": str(
            data if "://" in str(data) else pathlib.Path(data).resolve()
        ),
        "fingerprint": fingerprint(dataset),
        "config": config.to_yaml(),
    }
    refuse_unknown("`fit`", settings_of("fit"), config.fit)
    claim(out, record)
    dataset, parts = split_parts(dataset, config)
    dataset = with_text(dataset, config.text)
    learn, valid, test = (
        part.with_catalogue(dataset.catalogue) for part in parts
    )
    settings = dict(config.fit)
    ranker = build_ranker(config, dataset, settings.get("seed", 0))
    history = fit(
        ranker, learn, valid, out, until=until, progress=progress, **settings
    )
    fresh = out / "fresh.keras"
    ranker.save(fresh)
    os.replace(fresh, out / "model.keras")
    return Run(ranker, dataset, learn, valid, test, config, history)


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
    record = read_record(run)
    config = RunConfig.from_yaml(record["config"])
    try:
        check_model(run / "model.keras")
    except InputError as error:
        raise _no_ranker(run, error) from error
    dataset = open_dataset(record["data"])
    is_old = version_1.is_version_1(run / "model.keras")
    found = (
        version_1.fingerprint(dataset, record["data"])
        if is_old
        else fingerprint(dataset)
    )
    if found != record["fingerprint"]:
        raise InputError(
            f"a run is read with the dataset it was made with. Received: "
            f"{record['data']}, which has changed since. Train again."
        )
    dataset, (learn, valid, test) = split_parts(dataset, config)
    history = read_history(run)
    try:
        ranker = (
            version_1.load_ranker(run / "model.keras", dataset)
            if is_old
            else load_model(run / "model.keras")
        )
    except Exception as error:  # Keras and HDF5 raise anything.
        raise _no_ranker(run, error) from error
    if not isinstance(ranker, models.AdRanker):
        raise _no_ranker(run, f"it is a {type(ranker).__name__}")
    return Run(ranker, dataset, learn, valid, test, config, history)


def _no_ranker(run: pathlib.Path, why: Exception | str) -> InputError:
    return InputError(
        f"a run's model.keras must be a ranker. Received: {run}, where it "
        f"cannot be read ({' '.join(str(why).split())[:300]}). Remove it and "
        "train again: that goes on from the checkpoints."
    )


def split_parts(
    dataset: Dataset, config: RunConfig
) -> tuple[Dataset, tuple[Dataset, Dataset, Dataset]]:
    """The dataset, and its rows to train, validate and test, as settings say.

    Raises:
      InputError: where the section `data` has a wrong setting.
    """
    settings = dict(config.data)
    length = settings.pop("history_length", dataset.history_length)
    if type(length) is not int or length < 0:
        raise InputError(
            "`data.history_length` must be an integer >= 0. Received: "
            f"{length!r}."
        )
    dataset = dataset.with_history_length(length)
    refuse_unknown("`data`", settings_of("data"), settings)
    try:
        return dataset, split_by_time(dataset, **settings)
    except TypeError as error:
        raise InputError(f"`data`: {error}") from error
