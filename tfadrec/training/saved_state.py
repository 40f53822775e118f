"""What a run keeps on disk between its epochs."""

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.core.work_folder import WorkFolder
from tfadrec.runs.folder import CHECKPOINTS, STATE, require_intact
from tfadrec.training.epoch_files import files_of, read_epoch, write_epoch

#: What a run can be judged by, and whether more of it is better.
MONITORS = {
    "val_auc": True,
    "val_gauc": True,
    "val_uauc": True,
    "val_log_loss": False,
    "val_rmse": False,
    "val_loss": False,
    "val_overlap@10": True,
    "val_recall@50": True,
}


def best_epoch(
    history: Sequence[Mapping[str, float]], monitor: str = "val_auc"
) -> int:
    """The number of the best epoch, from 1; the earliest of equals.

    Args:
      history: what `fit` returned, one dict per epoch.
      monitor: one of `MONITORS`.
    """
    values = np.array([epoch[monitor] for epoch in history])
    values = values if MONITORS[monitor] else -values
    if np.isnan(values).all():
        return len(values)
    return int(np.nanargmax(values)) + 1


def read_history(
    out: pathlib.Path, monitor: str | None = "val_auc", part: str = ""
) -> list[dict[str, float]]:
    """What a run has written into `state.json`, one dict per epoch.

    Args:
      out: the run folder.
      monitor: what must have been measured in each epoch, beside the loss, if
        anything.
      part: of the run; see `SavedState`.

    Raises:
      InputError: where the file cannot be read.
    """
    require_intact(out, part + STATE)
    file = out / f"{part}{STATE}"
    measured = {"loss"} if monitor is None else {"loss", monitor}
    try:
        history = read_json(file)["history"]
        if (
            not isinstance(history, list)
            or not history
            or not all(measured <= set(epoch) for epoch in history)
            or not all(
                type(value) in (int, float)
                for epoch in history
                for value in epoch.values()
            )
        ):
            raise KeyError("history")
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as error:
        raise InputError(
            "a run's state.json must hold its history. Received: "
            f"{file}, which does not. Remove the run's folder and train again."
        ) from error
    return history


def read_optimizer(
    model: keras.Model,
    run: pathlib.Path,
    monitor: str | None,
    part: str = "",
) -> None:
    """Gives a model of a run the state that its optimiser ended with.

    Args:
      model: compiled, with the weights of the run's best epoch, and the number
        of steps that they have learned.
      run: the folder.
      monitor: see `SavedState`.
      part: see `SavedState`.

    Raises:
      InputError: where it cannot be read, or the run has gone on since the
        model was written.
    """
    epoch = _best(read_history(run, monitor, part), monitor)
    name = _name(part, epoch)
    require_intact(run, *sorted(_files(run, name)))
    optimizer = model.optimizer
    steps, rate = int(optimizer.iterations), fixed_rate(optimizer)
    optimizer.build(model.trainable_variables)
    kept = tf.Module()
    kept.optimizer = optimizer
    _read(kept, run, name)
    if int(optimizer.iterations) != steps:
        raise InputError(
            "a run's optimiser is that of the epoch whose weights it has. "
            f"Received: {run}, which has gone on since its model.keras was "
            "written. Have its training end."
        )
    if rate is not None:  # it falls while a model is trained
        optimizer.learning_rate = rate


def fixed_rate(optimizer: keras.optimizers.Optimizer) -> float | None:
    """The learning rate of an optimiser, None where a schedule tells it."""
    # Under mixed_float16 Keras has wrapped it.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = optimizer.get_config()["learning_rate"]
    return None if isinstance(rate, Mapping) else float(rate)


class SavedState:
    """What has to outlive the process: weights, optimiser, history.

    `state.json` names the epoch whose checkpoint is whole; it is replaced
    after the checkpoint was written and before an older one is removed.

    Args:
      model: built, with a built optimiser; it gets what was saved.
      folder: the run's, with `checkpoints/` and `state.json`, which is held.
      monitor: the metric that tells the best epoch, one of `MONITORS`; None
        where nothing is measured, and the last epoch counts.
      part: what the names of the files begin with, of a run in which several
        models are trained.

    Raises:
      InputError: where what was saved cannot be read.
    """

    def __init__(
        self,
        model: keras.Model,
        folder: WorkFolder,
        monitor: str | None,
        part: str = "",
    ) -> None:
        self._model = model
        self._folder = folder
        self._monitor = monitor
        self._part = part
        self.history: list[dict[str, float]] = []
        if folder.is_own(part + STATE):
            self.history = read_history(folder.path, monitor, part)
            self._restore(len(self.history))
            self._remove_others()  # which a kill has left

    def add(self, measured: dict[str, float]) -> None:
        """Saves the epoch that has just ended."""
        self.history.append(measured)
        epoch = len(self.history)
        with self._folder.writing() as fresh, as_os_errors():
            write_epoch(
                self._model,
                fresh,
                self._folder.path,
                self._name(epoch),
                self._name(epoch - 1),
            )
        text = json.dumps({"history": self.history}, indent=1)
        self._folder.write_text(self._part + STATE, text)
        self._remove_others()

    @property
    def best(self) -> int:
        """The number of the best epoch, from 1."""
        return _best(self.history, self._monitor)

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether nothing is left to train."""
        done = len(self.history)
        return done >= epochs or (done > 0 and done - self.best >= patience)

    def restore_best(self) -> None:
        """Gives the model the weights of its best epoch."""
        self._restore(self.best)

    def _restore(self, epoch: int) -> None:
        _read(self._model, self._folder.path, self._name(epoch))

    def _remove_others(self) -> None:
        """Removes what neither the newest nor the best epoch needs."""
        needed = {
            file
            for epoch in (len(self.history), self.best)
            for file in _files(self._folder.path, self._name(epoch))
        }
        self._folder.remove(
            [
                name
                for name in self._folder.files
                if name.startswith(f"{self._part}{CHECKPOINTS}/")
                and name not in needed
            ]
        )

    def _name(self, epoch: int) -> str:
        return _name(self._part, epoch)


def _best(history: Sequence[Mapping[str, float]], monitor: str | None) -> int:
    return len(history) if monitor is None else best_epoch(history, monitor)


def _name(part: str, epoch: int) -> str:
    return f"{part}{CHECKPOINTS}/epoch-{epoch:04d}"


def _read(part: tf.Module, run: pathlib.Path, name: str) -> None:
    """Gives variables what they had at the end of an epoch of a run."""
    with _readable(run, name):
        read_epoch(part, run, name)


def _files(run: pathlib.Path, name: str) -> set[str]:
    """The files of a run that an epoch needs."""
    with _readable(run, name):
        return files_of(run, name)


@contextlib.contextmanager
def _readable(run: pathlib.Path, name: str) -> Iterator[None]:
    """Has an epoch that cannot be read be an `InputError`."""
    try:
        yield
    except (tf.errors.OpError, AssertionError, OSError, ValueError) as error:
        raise InputError(
            "a run goes on from the checkpoint that its state.json names. "
            f"Received: {run / name}, which cannot be read or is of another "
            "model. Remove the run's folder and train again."
        ) from error
