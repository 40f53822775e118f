"""Fitting with exact metrics, early stopping, and resume."""

import contextlib
import logging
import math
import pathlib
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.ranges import Index, Rows, Steps
from tfadrec.core.takes import takes
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.by_user import by_user
from tfadrec.data.dataset import Dataset
from tfadrec.data.impressions import Impressions
from tfadrec.metrics import ranking
from tfadrec.models import RankingModel
from tfadrec.runs.check import check_sections
from tfadrec.runs.folder import run_folder
from tfadrec.training.by_size import batch_size_of, count_examples
from tfadrec.training.checks import (
    check_amounts,
    check_compared,
    check_compiled,
    check_goal,
    check_labels,
    check_shares,
    check_told,
    check_weighed,
    warn_of_cut_labels,
    warn_of_one_class,
)
from tfadrec.training.fitted import write_run
from tfadrec.training.run_epochs import run_epochs
from tfadrec.training.without_steps import METRICS, PREDICT_BATCH, mix, start
from tfadrec.training.workers import Learn, Workers, learn_here, place_of

_LOG = logging.getLogger(__name__)
#: A logit this far from 0 is a certainty that no log gives: of 1 in 10^17.
_FAR = 40.0
#: Ranks of a request that count while it is trained by requests.
_RANKS = 10
Monitor = Literal["val_auc", "val_gauc", "val_uauc", "val_log_loss", "val_rmse"]
MONITORS = get_args(Monitor)


@takes(model="ranker", train="dataset", valid="dataset")
def fit(
    model: RankingModel,
    train: Dataset,
    valid: Dataset,
    out: str | pathlib.Path,
    *,
    batch_size: Rows | None = None,
    by: Literal["row", "request"] = "row",
    epochs: Steps = 5,
    decay: bool = True,
    steps_per_epoch: Steps | None = None,
    monitor: Monitor = "val_auc",
    patience: Steps = 2,
    seed: Index = 0,
    until: Steps | None = None,
    progress: bool = True,
) -> list[dict[str, float]]:
    """Trains a compiled model and leaves it with its best weights.

    After each epoch the validation rows are scored and measured exactly, the
    state of the run is saved, and training ends early where the monitored
    metric has not improved for `patience` epochs. Called again with the same
    arguments after being killed at any moment, it goes on from the last epoch
    that was saved and ends with the weights that it would have ended with (the
    batches of an epoch depend on the seed and the epoch alone, and the state of
    optimiser and dropout is saved; on the CPU the arithmetic repeats as well).

    Args:
      model: compiled; its first task's metrics are monitored.
      train: rows to learn from.
      valid: rows to measure on.
      out: folder for `checkpoints/`, `state.json` and `tensorboard/`; of an
        `AdRanker` also for `model.keras` and what `load_run` needs to find the
        dataset again, so that it is a run.
      batch_size: rows, or requests, per step, >= 1; None for what
        `batch_size_of` tells: 64 rows of small logs to 512, or requests of
        about as many rows.
      by: `row`, or `request` to train on requests with all of their ads, as
        losses that compare the ads of a request need; see `Dataset.batches`.
      epochs: how often to measure at most, >= 1.
      decay: whether the learning rate falls linearly to zero over the epochs;
        an optimiser with a schedule of its own is left alone.
      steps_per_epoch: steps between two measurements; None for one pass over
        the rows. The order of the rows runs on across epochs.
      monitor: `val_auc`, `val_gauc`, `val_uauc` or `val_log_loss`, of a first
        task with real labels `val_rmse`.
      patience: epochs without improvement that end the training, >= 1.
      seed: of the order of the rows, >= 0.
      until: the epoch to stop after for now, >= 1, of those that are planned;
        None for all of them. Called again with a later one, it goes on.
      progress: whether to show a progress bar on standard error.

    Returns:
      One dict per epoch: `loss`, and of the first task `val_auc`, `val_gauc`,
      `val_uauc` and `val_log_loss`, by request also `val_ndcg@10` where
      requests tell it, or of real labels `val_rmse`; of another task
      `val_<task>_auc`, and so on.

    Raises:
      InputError: where an argument is out of range or is something else, the
        model was not compiled, what was saved in the folder cannot be read, it
        holds anything else, or another process is writing to it.
    """
    # Of all rows that are learned: those of a day may tell less.
    check_amounts(model, train)
    check_weighed(model, train)
    task = Workers.of_strategy(model.distribute_strategy).task
    with place_of(task, out) as place:
        folder = run_folder(place)
        with folder.held():
            return fit_in(
                folder,
                model,
                train,
                valid,
                batch_size=batch_size,
                by=by,
                epochs=epochs,
                decay=decay,
                steps_per_epoch=steps_per_epoch,
                monitor=monitor,
                patience=patience,
                seed=seed,
                until=until,
                progress=progress and task.is_first,
            )


def fit_in(
    folder: WorkFolder,
    model: RankingModel,
    train: Dataset,
    valid: Dataset | None,
    *,
    part: str = "",
    title: str = "",
    batch_size: Rows | None = None,
    by: Literal["row", "request"] = "row",
    epochs: Steps = 5,
    decay: bool = True,
    steps_per_epoch: Steps | None = None,
    monitor: Monitor = "val_auc",
    patience: Steps = 2,
    seed: Index = 0,
    until: Steps | None = None,
    progress: bool = True,
    tell: Callable[[list[dict[str, float]]], None] = lambda _: None,
    learn: Learn = learn_here,
    taught: Dataset | None = None,
) -> list[dict[str, float]]:
    """The same in a run's folder that is held, or in a part of it.

    Where `valid` is None nothing is measured, and the model ends with the
    weights of the last epoch; `part` is that of `SavedState`, `title` that of
    `MeasureEpochs`. `tell` is called with the history at the end of each epoch,
    and `learn` is that of `run_epochs`. `taught` are the rows of `train` with
    soft labels, which steps learn in place of those.
    """
    arguments = {
        "batch_size": batch_size,
        "by": by,
        "epochs": epochs,
        "decay": decay,
        "steps_per_epoch": steps_per_epoch,
        "monitor": monitor,
        "patience": patience,
        "seed": seed,
    }
    check_sections({"fit": arguments})
    if until is not None and (type(until) is not int or until < 1):
        raise InputError(
            "`until` must be an integer >= 1, or None. Received: "
            f"until={until!r}."
        )
    if model.optimizer is None:
        raise InputError(
            "a model must be compiled before it is trained. Received: one "
            "without an optimiser. Call "
            "`model.compile(optimizers.LazyAdam(1e-3))` first."
        )
    check_goal(model, by, monitor)
    for rows, what in ((train, "training rows"), (valid, "validation rows")):
        if rows is not None:
            check_labels(model, rows)
            warn_of_one_class(model, rows, what)
    check_compared(model, train)
    warn_of_cut_labels(model, train)
    if valid is not None:
        check_told(model, valid, monitor)
    examples = count_examples(train, by)
    batch_size = batch_size or batch_size_of(train, by)
    check_shares(model, batch_size)
    steps = steps_per_epoch or max(1, examples // batch_size)
    if not model.built:
        model.build()
    check_compiled(model)
    watch = _Watch()
    with contextlib.ExitStack() as stack:

        def near(rows: Dataset) -> Dataset:
            return stack.enter_context(by_user(rows, folder.path))

        learned = near(train if taught is None else taught)
        measured = None if valid is None else near(valid)
        # Made once, and not with a copy of the histories after each epoch.
        batches = None if measured is None else measured.batches(PREDICT_BATCH)
        history = run_epochs(
            folder,
            model,
            lambda first: learned.batches(
                batch_size, by=by, seed=seed, first_step=first
            ),
            lambda: _measure(model, measured, batches, watch, by == "request"),
            steps=steps,
            epochs=epochs,
            until=until,
            decay=decay,
            monitor=None if valid is None else monitor,
            part=part,
            title=title,
            patience=patience,
            progress=progress,
            begin=lambda: start(model, train, progress),
            tell=tell,
            learn=learn,
        )
        if measured is not None:
            mix(model, measured, monitor, progress)
    if valid is not None:
        write_run(model, train, valid, folder, monitor)
    return history


def _measure(
    model: RankingModel,
    valid: Dataset | None,
    batches: tf.data.Dataset | None,
    watch: "_Watch",
    in_requests: bool,
) -> dict[str, float]:
    """The metrics of validation rows; the first task's without its name."""
    measured: dict[str, float] = {}
    if valid is None:
        return measured
    predicted = model.predict(batches)
    rows = valid.impressions
    for task in model.tasks:
        labels, values = rows.labels[task], predicted[task]
        prefix = "val_" if task == model.tasks[0] else f"val_{task}_"
        if model.task_losses[task].is_binary:
            watch.see(task, values)
            of_task = {
                name: metric(labels, values, rows)
                for name, metric in METRICS.items()
            }
            if in_requests:
                of_task |= _of_requests(labels, values, rows)
        else:
            of_task = {"rmse": ranking.rmse(labels, values, rows.weights)}
        measured |= {f"{prefix}{name}": v for name, v in of_task.items()}
    return measured


def _of_requests(
    labels: np.ndarray, logits: np.ndarray, rows: Impressions
) -> dict[str, float]:
    """What there is of metrics of orders; rows with weights have none."""
    if rows.weights is not None:
        return {}
    found = ranking.ndcg(labels, logits, rows.requests, _RANKS)
    return {} if math.isnan(found) else {f"ndcg@{_RANKS}": found}


class _Watch:
    """Says once where the logits of validation rows run off."""

    def __init__(self) -> None:
        self._has_said = False

    def see(self, task: str, logits: np.ndarray) -> None:
        """Looks at the logits of a task.

        Args:
          task: its name.
          logits: float32 [n].
        """
        far = ~(np.abs(logits) < _FAR)  # nan is far, too
        if far.any() and not self._has_said:
            self._has_said = True
            _LOG.warning(
                "logits of %s run off: %.0f %% of the validation rows lie "
                "beyond %.0f, the farthest at %.3g. Lower the learning rate, "
                "clip gradients (`global_clipnorm`), or give large numbers "
                "`log1p` or a range.",
                task,
                100 * far.mean(),
                _FAR,
                logits[np.argmax(np.abs(logits))],
            )
