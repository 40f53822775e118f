"""The folder that `training.fit` was given, made a run."""

import json
import logging
import pathlib

import numpy as np

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.core.memory import give_back
from tfadrec.core.save_model import save_model
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker, AdRetriever, RankingModel
from tfadrec.runs.before import data_path
from tfadrec.runs.folder import MODEL, RECORD, require_intact
from tfadrec.runs.record import FITTED, fingerprint, read_record

_LOG = logging.getLogger(__name__)
#: What each row of the dataset was used for.
_ROWS = "rows.npy"
_UNSEEN, _TRAIN, _VALID = range(3)


def save_model_of(
    model: RankingModel | AdRetriever, folder: WorkFolder
) -> None:
    """Writes `model.keras` into a run folder, which is held."""
    # What rows were read by is cycles, which take memory until then.
    give_back()
    with folder.writing() as fresh:
        save_model(model, fresh / MODEL)


def write_run(
    model: RankingModel,
    train: Dataset,
    valid: Dataset,
    folder: WorkFolder,
    monitor: str,
) -> None:
    """Makes a folder with checkpoints a run that `load_run` reads.

    Nothing is done for a model that is no `AdRanker`, or in a folder that
    `training.train` has begun, which writes more. A ranker that cannot be saved
    leaves a folder of checkpoints, and a warning.

    Args:
      model: with its best weights.
      train: what it learned from.
      valid: what it was chosen by.
      folder: the run's, which is held.
      monitor: the metric it was chosen by.
    """
    if not isinstance(model, AdRanker) or _is_begun_by_train(folder):
        return
    try:
        save_model_of(model, folder)
    except (NotImplementedError, TypeError, ValueError) as error:
        line = " ".join(str(error).split())[:300]
        _LOG.warning(
            "%s is no run that can be loaded: the ranker cannot be saved (%s). "
            "Give each of its layers a `get_config`.",
            folder.out,
            line,
        )
        return
    origin = train.origin
    known = (
        origin is not None
        and valid.origin is not None
        and valid.origin.whole is origin.whole
        and origin.is_of(train)
        and valid.origin.is_of(valid)
    )
    config = RunConfig(
        text=train.catalogue.text,
        data={"history_length": train.history_length},
        fit={"monitor": monitor},
    )
    record = {
        "data": data_path(origin.path) if origin and known else "",
        "fingerprint": fingerprint(origin.whole) if origin and known else "",
        "config": config.to_yaml(),
        FITTED: "training.fit",
    }
    if not known:
        folder.remove([_ROWS])
    with folder.writing() as fresh:
        if known:
            _write_rows(train, valid, fresh / _ROWS)
        (fresh / RECORD).write_text(json.dumps(record, indent=1))


def read_parts(
    run: pathlib.Path, dataset: Dataset
) -> tuple[Dataset, Dataset, Dataset]:
    """The rows that a run learned from, was chosen by, and has not seen.

    Args:
      run: a folder that `write_run` has written.
      dataset: that of its record. Where the run does not know its rows, none of
        them counts as seen.

    Raises:
      InputError: where the file of rows is not that of the dataset.
    """
    require_intact(run, _ROWS)
    codes = np.full(len(dataset), _UNSEEN, np.uint8)
    if (run / _ROWS).exists():
        try:
            # Mapped, it cannot be larger than its file.
            codes = np.array(np.lib.format.open_memmap(run / _ROWS, mode="r"))
            if codes.shape != (len(dataset),) or codes.dtype != np.uint8:
                raise ValueError(f"{codes.dtype} {codes.shape}")
        except Exception as error:  # NumPy's reader raises anything.
            raise InputError(
                "a run's rows.npy must say what each row of its dataset was "
                f"used for. Received: {run / _ROWS}, which does not. Fit again."
            ) from error
    train, valid, test = (
        dataset.select(codes == code) for code in (_TRAIN, _VALID, _UNSEEN)
    )
    return train, valid, test


def _write_rows(train: Dataset, valid: Dataset, file: pathlib.Path) -> None:
    assert train.origin is not None
    codes = np.full(len(train.origin.whole), _UNSEEN, np.uint8)
    for part, code in ((valid, _VALID), (train, _TRAIN)):
        assert part.origin is not None
        codes[part.origin.numbers] = code
    np.save(file, codes)


def _is_begun_by_train(folder: WorkFolder) -> bool:
    return folder.is_own(RECORD) and FITTED not in read_record(folder.path)
