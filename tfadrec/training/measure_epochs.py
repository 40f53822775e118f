"""What happens at the end of each epoch of a run."""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from tfadrec.core.door import keras
from tfadrec.core.progress import Progress
from tfadrec.training.saved_state import SavedState


@dataclasses.dataclass
class MeasureEpochs(keras.callbacks.Callback):
    """Measures, saves and stops at the end of each epoch.

    Args:
      state: of the run.
      measure: gives the metrics of the validation rows.
      epochs: how many there are at most.
      patience: epochs without improvement that end the training.
      steps: in each epoch.
      progress: whether to show progress on standard error.
      title: of what is trained, where it is one of several.
    """

    state: SavedState
    measure: Callable[[], dict[str, float]]
    epochs: int
    patience: int
    steps: int
    progress: bool
    title: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begins to count steps."""
        self._bar = Progress(
            self.steps,
            self._name(epoch),
            "steps",
            show=self.progress,
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts one."""
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds the validation metrics to the logs, and saves."""
        measured = {"loss": float(logs["loss"]), **self.measure()}
        logs.update(measured)
        self._bar.close()
        if self.progress:
            values = "  ".join(f"{k} {v:.4f}" for k, v in measured.items())
            line = f"{self._name(epoch)}  {values}"
            print(line, file=sys.stderr, flush=True)
        self.state.add(measured)
        if self.state.is_over(self.epochs, self.patience):
            self.model.stop_training = True

    def _name(self, epoch: int) -> str:
        before = f"{self.title}, " if self.title else ""
        return f"{before}epoch {epoch + 1}/{self.epochs}"
