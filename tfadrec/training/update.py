"""A run that goes on with the rows that came after it."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError, NothingNewError
from tfadrec.core.import_allowed import import_allowed
from tfadrec.core.read_json import read_json
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.data.intake.join_datasets import join_datasets
from tfadrec.data.intake.summary import Summary
from tfadrec.data.intake.write import is_made, unmake
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.split import split_by_time
from tfadrec.models import AdRanker
from tfadrec.runs.before import check_update, data_path
from tfadrec.runs.folder import (
    DAY,
    JOINED,
    RECORD,
    require_intact,
    run_folder,
)
from tfadrec.runs.record import begun, fingerprint, grown_from, of_update
from tfadrec.training.by_size import chosen_by_size
from tfadrec.training.checks import check_labels, is_whole
from tfadrec.training.fit import fit_in
from tfadrec.training.fitted import save_model_of
from tfadrec.training.grow_vocabulary import grow_vocabulary
from tfadrec.training.members import OF_RUNS, with_valid
from tfadrec.training.run import Run, calibrate_as_set, load_run
from tfadrec.training.saved_state import fixed_rate
from tfadrec.training.text import parts_with_text
from tfadrec.training.without_steps import refit, set_level

#: The share of the rows that tell the level of a logit, at least.
_NEWEST = 0.1


def update(
    run: str | pathlib.Path,
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    epochs: int = 1,
    rehearse: float = 0.0,
    rate: float = 1.0,
    progress: bool = True,
    allow_import: Collection[str] = (),
    before: Run | None = None,
    tell: Callable[[Summary], object] = lambda summary: None,
) -> Run:
    """Trains a run further, on a day's rows, and writes it as another run.

    The day joins the run's dataset (`join_datasets`), written to `out/data`:
    new ads, users, values and event types get rows of their own, in the tables
    of the ranker and of its optimiser. The newest rows of the day are kept to
    validate and to test on, by the run's shares. From the weights and the state
    of the optimiser that it has, the ranker learns from the others, and from
    what the run had kept to validate and to test on; where the settings leave
    the batch size out, it is the one for so many rows. Levels and factors of
    ads, and slopes, which no step learns, are worked out again of all rows.

    A day that is too short to be split is kept to test on; then the rows that
    the run had kept to test on are validated on, and learned with the next day
    (see `split_by_time`). Where the rows to validate on are few, what is fitted
    on them, the mix of opinions and the calibration, stays as it was.

    Called again after being killed, it goes on where it was.

    Args:
      run: the folder of a finished run, which is left as it is.
      data: a dataset folder of the rows to learn, with the features and labels
        of the run's dataset; its vocabularies may be others.
      out: the folder of the new run.
      epochs: passes over the rows at most, >= 1; the learning rate falls to
        zero over them, as in `training.fit`.
      rehearse: the share of the rows that the run has learned from that is
        learned again among the new ones, in [0, 1].
      rate: what the run's learning rate is multiplied by, > 0; 1 where a
        schedule tells that rate.
      progress: whether to show progress on standard error.
      allow_import: modules whose classes the run may have. They are imported.
      before: the run, as `load_run` with `optimizer`, or the update that made
        it, gave it; None to read it. It is left as it is.
      tell: is given what became of the day's rows as they are joined.

    Returns:
      The new run. Its `train` has all days' rows.

    Raises:
      InputError: where the folder is no run, the day does not fit its dataset,
        or an argument is wrong; as a `NothingNewError` where the run has all of
        the day's rows.
    """
    run = pathlib.Path(run)
    record = check_update(run, data, out, epochs, rehearse, rate, allow_import)
    import_allowed(allow_import)
    if before is None or not is_whole(before.ranker):
        before = load_run(run, allow_import=allow_import, optimizer=True)
    if not isinstance(before.ranker, AdRanker):
        raise InputError(
            "an update goes on with one ranker. Received: "
            f"{run}, whose ranker is the average of several. Train anew, or "
            "update a run without `ensemble`."
        )
    if rate != 1 and fixed_rate(before.ranker.optimizer) is None:
        raise InputError(
            "`rate` multiplies a learning rate that is a number. Received: "
            f"rate={rate!r}, and {run}, whose rate a schedule tells. Leave "
            "`rate` out."
        )
    given = RunConfig.from_yaml(record["config"])
    config = _config(before.config, given, epochs)
    folder = run_folder(out)
    with folder.held():
        whole = folder.path / JOINED
        _claim_day(folder, data, whole)
        dataset = with_day(before, record["data"], data, whole, tell)
        told = {
            **of_update(data_path(whole), rehearse, rate),
            **grown_from(record),
            "fingerprint": fingerprint(dataset),
            "config": config.to_yaml(),
        }
        try:
            with begun(folder, told):
                if len(dataset) == len(before.dataset):
                    raise NothingNewError(
                        "an update needs rows that the run does not have. "
                        f"Received: {data}, whose rows {run} has all. Name a "
                        "later day."
                    )
                return _learn(
                    folder,
                    told,
                    before,
                    dataset,
                    config,
                    rehearse,
                    rate,
                    progress,
                )
        except InputError:
            if not (folder.path / RECORD).exists():  # before the first step
                unmake(whole)
            raise


def _claim_day(
    folder: WorkFolder, data: str | pathlib.Path, whole: pathlib.Path
) -> None:
    """Notes which day is joined to a run's rows, or compares it.

    Raises:
      InputError: where the folder is of another day.
    """
    if data_path(data) == data_path(whole):  # a follower has joined it
        return
    day = {"fingerprint": fingerprint(open_dataset(data))}
    if is_made(whole) and folder.is_own(DAY):
        if _read_day(folder.path) != day:
            raise InputError(
                "an update goes on with the day that it was begun with. "
                f"Received: {data}, and {folder.out}, begun with another one. "
                "Name another folder, or remove this one."
            )
        return
    folder.write_text(DAY, json.dumps(day))


def _read_day(run: pathlib.Path) -> Any:
    """What `day.json` says.

    Raises:
      InputError: where it cannot be read.
    """
    require_intact(run, DAY)
    try:
        return read_json(run / DAY)
    except (OSError, ValueError) as error:
        raise InputError(
            "an update's day.json must say which day it was begun with. "
            f"Received: {run / DAY}, which does not. Remove the run's folder: "
            "the day is learned again."
        ) from error


def with_day(
    before: Run,
    own: str | pathlib.Path,
    data: str | pathlib.Path,
    whole: pathlib.Path,
    tell: Callable[[Summary], object] = lambda summary: None,
) -> Dataset:
    """A run's dataset and a day's rows as one, to be read as the run reads.

    Args:
      before: the run.
      own: the folder of its dataset.
      data: that of the day.
      whole: the folder of both, which is written where it is not there yet.
      tell: see `update`.

    Raises:
      InputError: where the day does not fit the dataset.
    """
    if not is_made(whole):
        tell(join_datasets(own, data, whole))
    return open_dataset(whole).read_as(before.dataset)


def _learn(
    folder: WorkFolder,
    told: Mapping[str, str],
    before: Run,
    dataset: Dataset,
    config: RunConfig,
    rehearse: float,
    rate: float,
    progress: bool,
) -> Run:
    """Goes on with a ranker, in the folder of the new run, which is held.

    `told` is what the run was begun with, to which what the rows tell is added.
    """
    shares = {k: v for k, v in config.data.items() if k != "history_length"}
    parts = split_by_time(dataset, **shares)
    dataset, parts = parts_with_text(dataset, parts, config.text)
    learn, valid, test = parts
    check_labels(before.ranker, learn)
    ranker = grow_vocabulary(before.ranker, before.dataset, dataset)
    refit(ranker, learn)
    seed = config.fit.get("seed", 0)
    is_known = _learned(dataset, before)[_rows_of(learn)]
    random = np.random.default_rng(seed)
    rows = learn.select(~is_known | (random.random(len(learn)) < rehearse))
    if not len(rows):  # days without splits of their own always leave some
        raise InputError(
            "an update needs new rows to train on. Received: none, as the "
            "`split` of the day's rows has them to validate or to test on. "
            "Mark some as train."
        )
    config = dataclasses.replace(config, fit=chosen_by_size(config.fit, rows))
    record = {**told, "settings": config.to_yaml()}
    folder.write_text(RECORD, json.dumps(record, indent=1))
    whole = fixed_rate(ranker.optimizer)
    if whole is not None:
        ranker.optimizer.learning_rate = rate * whole
    history = fit_in(
        folder,
        ranker,
        rows,
        valid,
        progress=progress,
        **config.fit,
    )
    if whole is not None:  # the next day's is multiplied anew
        ranker.optimizer.learning_rate = whole
    kept = None if config.calibration is None else before.calibration
    set_level(ranker, _newest(dataset, learn, valid), kept)
    save_model_of(ranker, folder)
    parts = (learn, valid, test)
    updated = Run(ranker, dataset, *parts, config, history, chosen=ranker)
    return calibrate_as_set(updated, folder, before.calibration)


def _newest(dataset: Dataset, learn: Dataset, valid: Dataset) -> Dataset:
    """As many of the newest rows as the day has, and a tenth of all at least.

    None of them are to test on.
    """
    rows = with_valid(dataset, learn, valid)
    days = rows.impressions.days
    assert days is not None
    of_day = np.count_nonzero(days == days.max(initial=0))
    count = max(int(of_day), round(_NEWEST * len(rows)))
    return rows.select(np.arange(len(rows) - count, len(rows)))


def _config(config: RunConfig, given: RunConfig, epochs: int) -> RunConfig:
    """The run's settings, for so many passes over the rows.

    A batch size that was not given was that for the rows of all days.
    """
    others = {"steps_per_epoch", *OF_RUNS}
    if given.fit.get("batch_size") is None:
        others.add("batch_size")
    settings = {k: v for k, v in config.fit.items() if k not in others}
    fit = {**settings, "epochs": epochs}
    # What a teacher has said of older rows says nothing of the new ones.
    data = {**config.data, "newest_day": True}
    return dataclasses.replace(config, fit=fit, data=data, distil=None)


def _learned(dataset: Dataset, before: Run) -> np.ndarray:
    """Which rows of the joined dataset the run has learned from, bool [n]."""
    days = dataset.impressions.days
    assert days is not None
    learned = np.zeros(len(before.dataset), bool)
    learned[_rows_of(before.learned)] = True
    of_all = np.zeros(len(dataset), bool)
    rows = before.dataset.impressions
    written = np.lexsort((rows.requests, rows.times))  # as a dataset is
    of_all[days < days.max(initial=0)] = learned[written]
    return of_all


def _rows_of(part: Dataset) -> np.ndarray:
    """The places of a part's rows in its dataset."""
    assert part.origin is not None
    return part.origin.numbers
