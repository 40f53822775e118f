"""What a run keeps on disk between its epochs."""

import json
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.core.work_folder import WorkFolder
from tfadrec.runs.folder import CHECKPOINTS, STATE, require_intact

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
        self._checkpoint = tf.train.Checkpoint(model=model)
        self._folder = folder
        self._monitor = monitor
        self._part = part
        self.history: list[dict[str, float]] = []
        if folder.is_own(part + STATE):
            self.history = read_history(folder.path, monitor, part)
            self._restore(len(self.history))

    def add(self, measured: dict[str, float]) -> None:
        """Saves the epoch that has just ended."""
        self.history.append(measured)
        epoch = len(self.history)
        with self._folder.writing() as fresh, as_os_errors():
            self._checkpoint.write(str(fresh / self._name(epoch)))
        text = json.dumps({"history": self.history}, indent=1)
        self._folder.write_text(self._part + STATE, text)
        keep = {self._name(epoch), self._name(self.best)}
        self._folder.remove(
            [
                name
                for name in self._folder.files
                if name.startswith(f"{self._part}{CHECKPOINTS}/")
                and name.partition(".")[0] not in keep
            ]
        )

    @property
    def best(self) -> int:
        """The number of the best epoch, from 1."""
        if self._monitor is None:
            return len(self.history)
        return best_epoch(self.history, self._monitor)

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether nothing is left to train."""
        done = len(self.history)
        return done >= epochs or (done > 0 and done - self.best >= patience)

    def restore_best(self) -> None:
        """Gives the model the weights of its best epoch."""
        self._restore(self.best)

    def _restore(self, epoch: int) -> None:
        prefix = str(self._folder.path / self._name(epoch))
        try:
            self._checkpoint.read(prefix).assert_existing_objects_matched()
        except (tf.errors.OpError, AssertionError, ValueError) as error:
            raise InputError(
                "a run goes on from the checkpoint that its state.json names. "
                f"Received: {prefix}, which cannot be read or is of another "
                "model. Remove the run's folder and train again."
            ) from error

    def _name(self, epoch: int) -> str:
        return f"{self._part}{CHECKPOINTS}/epoch-{epoch:04d}"
