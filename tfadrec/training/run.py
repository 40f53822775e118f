"""A run folder: everything between `tfadrec train` and `tfadrec export`."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Collection, Mapping

from numpy.typing import NDArray

from tfadrec.calibration import Calibration, fit_calibration
from tfadrec.calibration.fit_calibration import MethodName
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError, NotAllowedError
from tfadrec.core.import_allowed import import_allowed
from tfadrec.core.safe_load import check_model, load_model
from tfadrec.core.save_model import save_model
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.by_user import predict
from tfadrec.data.dataset import Dataset
from tfadrec.data.open_dataset import open_dataset
from tfadrec.models import AdRanker
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.runs.before import check_run, check_training, data_path
from tfadrec.runs.folder import (
    CALIBRATION,
    MODEL,
    STATE,
    require_intact,
    run_folder,
)
from tfadrec.runs.record import FITTED, claimed, fingerprint, read_record
from tfadrec.runs.task import Task, read_task
from tfadrec.training import soft_labels, version_1
from tfadrec.training.build import build_ranker, check_builds
from tfadrec.training.by_size import chosen_by_size, fold_in_chosen
from tfadrec.training.checks import (
    check_amounts,
    check_compared,
    check_goal,
    check_labels,
    check_told,
    check_weighed,
    is_whole,
)
from tfadrec.training.cross_encoder_run import load_cross_encoder
from tfadrec.training.fitted import read_parts, save_model_of
from tfadrec.training.members import chosen_in, fit_members, with_valid
from tfadrec.training.opened import open_data, split_parts
from tfadrec.training.saved_state import (
    best_epoch,
    read_history,
    read_optimizer,
)
from tfadrec.training.servers import check_learns
from tfadrec.training.text import check_text, parts_with_text, text_chosen
from tfadrec.training.tracking import tracked, trackers
from tfadrec.training.without_steps import PREDICT_BATCH
from tfadrec.training.workers import joined, place_of

#: Rows of each class in a day's validation rows that a calibration is learned
#: from anew: ten for each of the two numbers of a curve (Peduzzi et al., 1996).
_LEAST = 20


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained ranker and the rows that it was made with.

    Args:
      ranker: with its best weights; a `RankerEnsemble` where the settings ask
        for several.
      dataset: all of the rows.
      train: what it learned from, until it was chosen.
      valid: what it was chosen by.
      test: what it has not seen.
      config: its settings; of a run that `training.fit` wrote, only `text`,
        `data` and `fit` tell what it was made with.
      history: one dict of metrics per epoch, of an ensemble its first member's.
      calibration: of the ranker's logits, if there is one.
      chosen: the ranker that was measured on the validation rows. With `refit`
        it is not `ranker`, and None once the run was read back from its folder.
    """

    ranker: Ranker
    dataset: Dataset
    train: Dataset
    valid: Dataset
    test: Dataset
    config: RunConfig
    history: list[dict[str, float]]
    calibration: Calibration | None = None
    chosen: Ranker | None = None

    @property
    def learned(self) -> Dataset:
        """All that the ranker learned from, with `refit` also `valid`."""
        if not self.config.fit.get("refit"):
            return self.train
        return with_valid(self.dataset, self.train, self.valid)

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the epoch whose weights the ranker has."""
        return self.history[self.best_epoch - 1]

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights the ranker has, the first being 1."""
        return best_epoch(self.history, f"val_{self.monitor}")

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
    allow_import: Collection[str] = (),
) -> Run:
    """Trains a ranker on a dataset and writes the run folder.

    Called again after being killed, it goes on where it was; called again after
    it ended, it reads the result. What cannot work is refused before rows are
    read and ad copy is encoded: the settings are checked, and a ranker of them
    is built for the dataset's schema.

    With `distil` the labels of the training rows are half those of the log and
    half the probabilities of that run's model, a ranker or a cross-encoder; see
    `training.soft_labels`. They are worked out once, and kept.

    Where `TF_CONFIG` names a cluster of workers, each of them calls this with
    the same arguments, before TensorFlow has run anything, and they train
    together; only the first writes `out`. Where it names parameter servers as
    well, only the chief calls this, and the others call `serve`.

    Args:
      data: a dataset folder.
      config: the settings.
      out: the run folder; a new one, or that of the same run.
      until: the epoch to stop after for now; see `training.fit`.
      progress: whether to show progress on standard error.
      allow_import: modules whose classes the settings may name, as
        `module:Class`. They are imported.

    Raises:
      InputError: where the folder holds another run, or anything else, another
        process writes to it, or an argument is wrong.
    """
    task = read_task()
    if task.servers and not task.is_first:
        raise InputError(
            "the chief of parameter servers trains, and its workers serve it. "
            f"Received: process {task.index} of TF_CONFIG. Call "
            "`training.serve` there."
        )
    with place_of(task, out) as place:
        return _train(
            *(data, config, place, task, allow_import),
            until=until,
            progress=progress and task.is_first,
        )


def _train(
    data: str | pathlib.Path,
    config: RunConfig,
    out: str | pathlib.Path,
    task: Task,
    allow_import: Collection[str],
    *,
    until: int | None,
    progress: bool,
) -> Run:
    """The same in one of the processes that train together, or in one alone."""
    schema = check_training(data, config, out, allow_import, "ranker")
    folder = run_folder(out)
    workers = joined(task)
    settings = (config.track or {}) if task.is_first else {}
    found = trackers(folder.path, **settings)
    import_allowed(allow_import)
    if config.text is not None:
        check_text(config.text)
    ranker = check_builds(config, schema, allow_import)
    goal = {k: v for k, v in config.fit.items() if k in ("by", "monitor")}
    check_goal(ranker, **goal)
    if task.servers:
        check_learns(ranker, config)
    if config.distil is not None:
        _check_taught(ranker, task)
    dataset = open_dataset(data)
    check_amounts(ranker, dataset)
    check_labels(ranker, dataset)
    check_compared(ranker, dataset)
    record = {
        "data": data_path(data),
        "fingerprint": fingerprint(dataset),
        "config": config.to_yaml(),
    }
    dataset, parts = split_parts(dataset, config)
    check_told(ranker, parts[1], config.fit.get("monitor", "val_auc"))
    check_weighed(ranker, parts[0])
    config = dataclasses.replace(
        config,
        fit=chosen_by_size(config.fit, parts[0]),
        fold_in=fold_in_chosen(config, parts[0]),
        text=text_chosen(config.text, dataset),
    )
    record["settings"] = config.to_yaml()
    with claimed(folder, record):
        with workers.first_goes_first():
            dataset, parts = parts_with_text(dataset, parts, config.text)
        learn, valid, test = parts
        taught = None
        if config.distil is not None:
            taught = _taught(folder, learn, config, record, allow_import)
        settings = dict(config.fit)
        known = []
        if folder.is_own(STATE):
            known = read_history(
                folder.path, settings.get("monitor", "val_auc")
            )
        with tracked(folder, found, config.sections()) as tracking:
            tracking.log(known)
            with workers.scope():
                ranker, chosen, history = fit_members(
                    folder,
                    lambda seed: build_ranker(
                        config, dataset, seed, allow_import
                    ),
                    dataset,
                    learn,
                    valid,
                    settings,
                    until=until,
                    progress=progress,
                    tell=tracking.log,
                    learn=workers.learn,
                    taught=taught,
                )
            if workers.are_several:
                whole = ranker is chosen
                ranker = _alone(ranker, allow_import)
                chosen = ranker if whole else _alone(chosen, allow_import)
            tracking.show(ranker, dataset)
        save_model_of(ranker, folder)
        if history != known:
            Calibration.remove(folder)  # of other weights
        run = Run(
            *(ranker, dataset, learn, valid, test, config, history),
            Calibration.load(folder.path),
            chosen,
        )
        return calibrate_as_set(run, folder)


def _check_taught(ranker: Ranker, task: Task) -> None:
    """Refuses to have a ranker imitate what it cannot."""
    if task.is_one_of_several:
        raise InputError(
            "a ranker that imitates another model is trained by one process. "
            "Received: TF_CONFIG with several processes. Unset it."
        )
    soft_labels.check_learns(ranker)


def _taught(
    folder: WorkFolder,
    learn: Dataset,
    config: RunConfig,
    record: Mapping[str, str],
    allow_import: Collection[str],
) -> Dataset:
    """The training rows with what another run says of them."""
    found = soft_labels.kept(folder, learn)
    if found is not None:
        return found
    place = str(config.distil)
    other = read_record(pathlib.Path(place))
    theirs = RunConfig.from_yaml(other["config"])
    shares = [
        {k: v for k, v in c.data.items() if k != "history_length"}
        for c in (config, theirs)
    ]
    if other["fingerprint"] != record["fingerprint"] or shares[0] != shares[1]:
        raise InputError(
            "`distil` must be a run that was made with the same dataset and "
            f"the same rows of it. Received: {place}. Train one of them again."
        )
    if theirs.model == "cross_encoder":
        reads = load_cross_encoder(
            place, data=record["data"], allow_import=allow_import
        )
        logits = reads.logits(reads.train)
    else:
        ranks = load_run(place, data=record["data"], allow_import=allow_import)
        rows = ranks.train.batches(PREDICT_BATCH)
        logits = ranks.ranker.predict(rows)[soft_labels.LABEL]
    return soft_labels.keep(folder, learn, logits)


def _alone(ranker: Ranker, allow_import: Collection[str]) -> Ranker:
    """The same ranker, which predicts without other workers."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, MODEL)
        save_model(ranker, file)
        return load_model(file, allow_import)


def load_run(
    run: str | pathlib.Path,
    *,
    data: str | pathlib.Path | None = None,
    allow_import: Collection[str] = (),
    optimizer: bool = False,
) -> Run:
    """Reads a run folder, of `tfadrec train` or of `training.fit`.

    Args:
      run: the folder.
      data: the dataset folder, where it is not where it was, or where the run
        was fitted on a dataset of no folder. Such a run does not know which
        rows it has seen, and takes all of these for new ones.
      allow_import: modules whose classes the run may have. They are imported.
      optimizer: whether the ranker is to go on learning. It has the state of
        its optimiser then, from the run's checkpoints, and takes three times
        the memory. An ensemble has none.

    Raises:
      InputError: where the folder is no finished run, its dataset is not known
        or has changed since, or it has a class of a module that is not allowed.
    """
    run = pathlib.Path(run)
    record = check_run(run, data, allow_import)
    require_intact(run, MODEL, CALIBRATION)
    config = RunConfig.from_yaml(record["settings"])
    try:
        check_model(run / MODEL, allow_import)
    except NotAllowedError:
        raise
    except InputError as error:
        raise _no_ranker(run, error) from error
    is_old = version_1.is_version_1(run / MODEL)
    dataset = open_data(record, data, is_old)
    if FITTED not in record:
        dataset, parts = split_parts(dataset, config)
    monitor = config.fit.get("monitor", "val_auc")
    history = read_history(run, monitor)
    try:
        ranker = (
            version_1.load_ranker(run / MODEL, dataset)
            if is_old
            else load_model(run / MODEL, allow_import)
        )
    except Exception as error:  # Keras and HDF5 raise anything.
        raise _no_ranker(run, error) from error
    if not isinstance(ranker, Ranker):
        raise _no_ranker(run, f"it is a {type(ranker).__name__}")
    if FITTED in record:
        known = dataset.read_by(ranker)
        dataset, parts = _fitted_parts(run, known, config)
    _check_sizes(ranker, dataset, run)
    if optimizer and isinstance(ranker, AdRanker) and not is_whole(ranker):
        read_optimizer(ranker, run, *chosen_in(run, config.fit))
    calibration = Calibration.load(run)
    chosen = None if config.fit.get("refit") else ranker
    return Run(ranker, dataset, *parts, config, history, calibration, chosen)


def calibrate_as_set(
    run: Run, folder: WorkFolder, before: Calibration | None = None
) -> Run:
    """The run with the calibration that its settings ask for.

    Args:
      run: just trained.
      folder: its folder, which is held.
      before: of the run that it goes on with, if it does. A task of which the
        validation rows tell too little keeps that.
    """
    if run.config.calibration is None or run.calibration is not None:
        return run
    settings = dict(run.config.calibration)
    if before is not None:
        settings["least"] = _LEAST
    found = _calibration(run, **settings)
    if before is not None:
        tasks = {**before.tasks, **found.tasks}
        found = dataclasses.replace(found, tasks=tasks)
    found.save(folder)
    return dataclasses.replace(run, calibration=found)


def calibrate(
    run: Run,
    out: str | pathlib.Path,
    *,
    method: MethodName = "platt",
    field: str | None = None,
    on: str = "valid",
) -> Run:
    """Learns a run's calibration, and keeps it in the run's folder.

    The ranker stays as it is; called again, the calibration is replaced.

    Args:
      run: of `train` or `load_run`.
      out: its folder.
      method: see `fit_calibration`.
      field: likewise.
      on: `valid` or `test`, the rows to learn from.

    Returns:
      The run with that calibration.

    Raises:
      InputError: for a method, a field or rows that there are not, or where no
        task has labels of both values in these rows.
    """
    found = _calibration(run, method, field, on)
    if not found.tasks:
        raise InputError(
            "a calibration learns from labels of 0 and labels of 1. Received: "
            f"{on!r}, in whose rows no task has both: "
            f"{', '.join(run.ranker.task_losses)}. Name other rows, or take "
            "more of them."
        )
    folder = run_folder(out)
    with folder.held():
        found.save(folder)
    return dataclasses.replace(run, calibration=found)


def _calibration(
    run: Run,
    method: MethodName = "platt",
    field: str | None = None,
    on: str = "valid",
    least: float = 0.0,
) -> Calibration:
    rows, logits = calibration_rows(run, on)
    return fit_calibration(
        logits, rows, method=method, field=field, least=least
    )


def calibration_rows(
    run: Run, on: str = "valid"
) -> tuple[Dataset, dict[str, NDArray]]:
    """What a run's calibration is learned from.

    Args:
      run: see `calibrate`.
      on: likewise.

    Returns:
      The rows, and the logits of binary tasks, task -> [n].

    Raises:
      InputError: for rows that there are not, or that the ranker has learned
        from.
    """
    if on not in ("valid", "test"):
        raise InputError(
            "a calibration learns from rows that the ranker has not learned "
            f"from: valid or test. Received: on={on!r}."
        )
    rows = run.valid if on == "valid" else run.test
    if not len(rows):
        raise InputError(
            f"a calibration needs rows. Received: none in {on!r}. Name others."
        )
    ranker = run.chosen if on == "valid" else run.ranker
    if ranker is None:
        raise InputError(
            "a calibration learns from rows that the ranker has not learned "
            "from, and with `refit` it has learned from the validation rows. "
            "Received: on='valid'. Calibrate on 'test', or by the section "
            "`calibration` of the settings, while the run is trained."
        )
    predicted = predict(ranker, rows, PREDICT_BATCH)
    real = {t for t, m in run.ranker.task_losses.items() if not m.is_binary}
    return rows, {t: z for t, z in predicted.items() if t not in real}


def _fitted_parts(
    run: pathlib.Path, dataset: Dataset, config: RunConfig
) -> tuple[Dataset, tuple[Dataset, Dataset, Dataset]]:
    length = config.data.get("history_length", dataset.history_length)
    dataset = dataset.with_history_length(length)
    return dataset, read_parts(run, dataset)


def _check_sizes(ranker: Ranker, dataset: Dataset, run: pathlib.Path) -> None:
    """Refuses a dataset with other ads or users than a ranker knows."""
    tower = ranker.user_tower
    for what, known, there in (
        ("ads", ranker.ad_tower.num_rows - 1, len(dataset.catalogue)),
        ("users", tower.num_users - 1, len(dataset.user_ids)),
    ):
        if known not in (-1, there):
            raise InputError(
                "a run is read with the dataset it was made with. Received: "
                f"{run}, of {known} {what}, and a dataset of {there}. Name "
                "that one."
            )


def _no_ranker(run: pathlib.Path, why: Exception | str) -> InputError:
    return InputError(
        f"a run's model.keras must be a ranker. Received: {run}, where it "
        f"cannot be read ({' '.join(str(why).split())[:300]}). Remove it and "
        "train again: that goes on from the checkpoints."
    )
