"""Epochs of any model: measured, saved, ended early, and gone on with."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

from tfadrec.core.door import keras
from tfadrec.core.ranges import Steps
from tfadrec.core.work_folder import WorkFolder
from tfadrec.models.op_by_op import fitted_op_by_op
from tfadrec.training.measure_epochs import MeasureEpochs
from tfadrec.training.saved_state import SavedState, fixed_rate
from tfadrec.training.workers import Learn, Workers, learn_here

#: Steps of a training that are taken op by op. Of the default ranker on two
#: cores of an EPYC such a step takes 0.2 to 0.3 s of a processor, and one of a
#: graph 0.06 after 4 s that the graph takes to be made, 10 in a new process.
_FEW_STEPS = 16


def run_epochs(
    folder: WorkFolder,
    model: Any,
    batches: Callable[[int], Any],
    measure: Callable[[], dict[str, float]],
    *,
    steps: int,
    epochs: int,
    monitor: str | None,
    part: str = "",
    title: str = "",
    until: int | None = None,
    decay: bool = True,
    patience: int = 2,
    progress: bool = True,
    begin: Callable[[], None] = lambda: None,
    tell: Callable[[list[dict[str, float]]], None] = lambda _: None,
    learn: Learn = learn_here,
) -> list[dict[str, float]]:
    """Trains a model from the last epoch that was saved; see `training.fit`.

    Args:
      folder: of the run, which is held.
      model: built and compiled; it is left with the weights of its best epoch.
      batches: the number of a step to the stream of batches from there on.
      measure: gives the metrics of the validation rows.
      steps: of an epoch.
      epochs: at most.
      monitor: see `SavedState`.
      part: see `SavedState`.
      title: see `MeasureEpochs`.
      until: the epoch to stop after for now.
      decay: whether the learning rate falls linearly to zero over the epochs.
      patience: epochs without improvement that end the training.
      progress: whether to show progress on standard error.
      begin: what is done before the very first step.
      tell: is called with the history at the end of each epoch.
      learn: how the steps are taken; see `Workers.learn`.

    Returns:
      One dict of metrics per epoch.
    """
    model.optimizer.build(model.trainable_variables)
    rate = fixed_rate(model.optimizer) if decay else None
    state = SavedState(model, folder, monitor, part)
    last = min(epochs, until or epochs)
    workers = Workers.of_strategy(model.distribute_strategy)
    workers.require_same(len(state.history))
    if not state.is_over(last, patience):
        done = len(state.history)
        # What has learned already keeps its weights.
        if not model.optimizer.iterations.numpy():
            begin()
        # By what is planned, so that who goes on learns as who was not killed.
        is_short = epochs * steps <= _FEW_STEPS
        with fitted_op_by_op(model) if is_short else contextlib.nullcontext():
            learn(
                model,
                batches(done * steps),
                initial_epoch=done,
                epochs=last,
                steps_per_epoch=steps,
                callbacks=[
                    *([] if rate is None else [_Decay(rate, epochs, steps)]),
                    MeasureEpochs(
                        state, measure, last, patience, steps, progress, title
                    ),
                    keras.callbacks.TensorBoard(
                        folder.path / "tensorboard" / part, write_graph=False
                    ),
                    keras.callbacks.LambdaCallback(
                        on_epoch_end=lambda *_: tell(state.history)
                    ),
                ],
            )
    state.restore_best()
    if rate is not None:
        model.optimizer.learning_rate = rate
    return state.history


@dataclasses.dataclass
class _Decay(keras.callbacks.Callback):
    """Lets the learning rate fall linearly to zero."""

    rate: float
    epochs: Steps
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
