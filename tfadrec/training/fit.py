"""Fitting with exact metrics, early stopping, and resume."""

import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.metrics import ranking
from tfadrec.models import RankingModel

_PREDICT_BATCH = 4096
#: What is measured on the validation rows, and whether more is better.
_MONITORS = {"val_auc": True, "val_gauc": True, "val_log_loss": False}
_MEASURED = {"loss", *_MONITORS}


def fit(
    model: RankingModel,
    train: Dataset,
    valid: Dataset,
    out: str | pathlib.Path,
    *,
    batch_size: int = 512,
    epochs: int = 5,
    decay: bool = True,
    steps_per_epoch: int | None = None,
    monitor: str = "val_auc",
    patience: int = 2,
    seed: int = 0,
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
      out: folder for `checkpoints/`, `state.json` and `tensorboard/`.
      batch_size: rows per step, >= 1.
      epochs: how often to measure at most, >= 1.
      decay: whether the learning rate falls linearly to zero over the epochs;
        an optimiser with a schedule of its own is left alone.
      steps_per_epoch: steps between two measurements; None for one pass over
        the rows. The order of the rows runs on across epochs.
      monitor: `val_auc`, `val_gauc` or `val_log_loss`.
      patience: epochs without improvement that end the training, >= 1.
      seed: of the order of the rows, >= 0.
      progress: whether to show a progress bar on standard error.

    Returns:
      One dict per epoch: `loss`, and of the first task `val_auc`, `val_gauc`
      and `val_log_loss`; of another task `val_<task>_auc`, and so on.

    Raises:
      InputError: where an argument is out of range, or what was saved in the
        folder cannot be read.
    """
    for name, value, least in (
        ("batch_size", batch_size, 1),
        ("epochs", epochs, 1),
        ("steps_per_epoch", steps_per_epoch, 1),
        ("patience", patience, 1),
        ("seed", seed, 0),
    ):
        if name == "steps_per_epoch" and value is None:
            continue
        if type(value) is not int or value < least:
            raise InputError(
                f"`{name}` must be an integer >= {least}. Received: "
                f"{name}={value!r}."
            )
    if monitor not in _MONITORS:
        raise InputError(
            f"`monitor` must be one of {', '.join(_MONITORS)}. Received: "
            f"{monitor!r}."
        )
    steps = steps_per_epoch or max(1, len(train) // batch_size)
    out = pathlib.Path(out)
    if not model.built:
        model.build()
    model.optimizer.build(model.trainable_variables)
    # Under mixed_float16 Keras has wrapped the optimiser.
    optimizer: Any = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    rate = optimizer.get_config()["learning_rate"]  # a schedule's a dict
    falling = decay and not isinstance(rate, Mapping)
    state = _Saved(model, out, monitor)
    if not state.is_over(epochs, patience):
        begin = len(state.history)
        model.fit(
            train.batches(batch_size, seed=seed, first_step=begin * steps),
            initial_epoch=begin,
            epochs=epochs,
            steps_per_epoch=steps,
            verbose=0,
            callbacks=[
                *([_Decay(float(rate), epochs, steps)] if falling else []),
                _Measure(state, valid, epochs, patience, steps, progress),
                keras.callbacks.TensorBoard(
                    out / "tensorboard", write_graph=False
                ),
            ],
        )
    state.restore_best()
    if falling:
        model.optimizer.learning_rate = float(rate)
    return state.history


def best_epoch(
    history: Sequence[Mapping[str, float]], monitor: str = "val_auc"
) -> int:
    """The number of the best epoch, from 1; the earliest of equals.

    Args:
      history: what `fit` returned, one dict per epoch.
      monitor: as for `fit`.
    """
    values = np.array([epoch[monitor] for epoch in history])
    values = values if _MONITORS[monitor] else -values
    if np.isnan(values).all():
        return len(values)
    return int(np.nanargmax(values)) + 1


def read_history(out: pathlib.Path) -> list[dict[str, float]]:
    """What `fit` has written into `state.json`, one dict per epoch.

    Raises:
      InputError: where the file cannot be read.
    """
    file = out / "state.json"
    try:
        history = json.loads(file.read_text(encoding="utf-8"))["history"]
        if not all(set(epoch) >= _MEASURED for epoch in history):
            raise KeyError("history")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "a run's state.json must hold its history. Received: "
            f"{file}, which does not. Remove the run's folder and train again."
        ) from error
    return history


class _Saved:
    """What has to outlive the process: weights, optimiser, history.

    `state.json` names the epoch whose checkpoint is whole; it is replaced
    after the checkpoint was written and before an older one is removed.
    """

    def __init__(
        self, model: keras.Model, out: pathlib.Path, monitor: str
    ) -> None:
        self._checkpoint = tf.train.Checkpoint(model=model)
        self._folder = out / "checkpoints"
        self._file = out / "state.json"
        self._monitor = monitor
        self.history: list[dict[str, float]] = []
        if self._file.is_file():
            self.history = read_history(out)
            self._restore(len(self.history))

    def add(self, measured: dict[str, float]) -> None:
        """Saves the epoch that has just ended."""
        self.history.append(measured)
        epoch = len(self.history)
        self._checkpoint.write(self._prefix(epoch))
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(json.dumps({"history": self.history}, indent=1))
        os.replace(fresh, self._file)
        keep = {self._name(epoch), self._name(self.best)}
        for old in self._folder.glob("epoch-*"):
            if old.name.partition(".")[0] not in keep and old.is_file():
                old.unlink()

    @property
    def best(self) -> int:
        """The number of the best epoch, from 1."""
        return best_epoch(self.history, self._monitor)

    def is_over(self, epochs: int, patience: int) -> bool:
        """Whether nothing is left to train."""
        done = len(self.history)
        return done >= epochs or (done > 0 and done - self.best >= patience)

    def restore_best(self) -> None:
        """Gives the model the weights of its best epoch."""
        self._restore(self.best)

    def _restore(self, epoch: int) -> None:
        prefix = self._prefix(epoch)
        try:
            self._checkpoint.read(prefix).assert_existing_objects_matched()
        except (tf.errors.OpError, AssertionError, ValueError) as error:
            raise InputError(
                "a run goes on from the checkpoint that its state.json names. "
                f"Received: {prefix}, which cannot be read or is of another "
                "model. Remove the run's folder and train again."
            ) from error

    def _prefix(self, epoch: int) -> str:
        return str(self._folder / self._name(epoch))

    @staticmethod
    def _name(epoch: int) -> str:
        return f"epoch-{epoch:04d}"


@dataclasses.dataclass
class _Decay(keras.callbacks.Callback):
    """Lets the learning rate fall linearly to zero."""

    rate: float
    epochs: int
    steps: int

    def __post_init__(self) -> None:
        super().__init__()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sets the rate of one step."""
        done = (self._epoch * self.steps + batch) / (self.epochs * self.steps)
        self.model.optimizer.learning_rate = self.rate * (1 - done)


@dataclasses.dataclass
class _Measure(keras.callbacks.Callback):
    """Measures, saves and stops at the end of each epoch."""

    state: _Saved
    valid: Dataset
    epochs: int
    patience: int
    steps: int
    progress: bool

    def __post_init__(self) -> None:
        super().__init__()
        self._labels = self.valid.impressions.labels

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begins a progress bar."""
        self._bar = tqdm(
            total=self.steps,
            desc=f"epoch {epoch + 1}/{self.epochs}",
            unit="step",
            disable=None if self.progress else True,  # None: on a terminal
            leave=False,
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves it on."""
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds the validation metrics to the logs, and saves."""
        predicted = self.model.predict(self.valid.batches(_PREDICT_BATCH))
        users = self.valid.impressions.users
        measured = {"loss": float(logs["loss"])}
        for task in self.model.tasks:
            labels, logits = self._labels[task], predicted[task]
            first = task == self.model.tasks[0]
            prefix = "val_" if first else f"val_{task}_"
            measured |= {
                f"{prefix}auc": ranking.auc(labels, logits),
                f"{prefix}gauc": ranking.group_auc(labels, logits, users),
                f"{prefix}log_loss": ranking.log_loss(labels, logits),
            }
        logs.update(measured)
        self._bar.close()
        if self.progress:
            values = "  ".join(f"{k} {v:.4f}" for k, v in measured.items())
            line = f"epoch {epoch + 1}/{self.epochs}  {values}"
            tqdm.write(line, file=sys.stderr)
        self.state.add(measured)
        if self.state.is_over(self.epochs, self.patience):
            self.model.stop_training = True
