"""Weights & Biases: files on this machine, or its servers where asked."""

import os
import pathlib
import uuid
from typing import Any, Literal

from tfadrec.training.tracking.tracker import Tracker

Mode = Literal["offline", "online"]


class WandbTracker(Tracker):
    """Keeps runs in the run folder's `wandb/`, or sends them.

    Needs `pip install 'tfadrec[wandb]'`. Offline, a run that goes on has
    a folder more, of the same id: `wandb sync --append` sends them in turn.

    Args:
      project: the runs' project.
      mode: `offline`, by which nothing leaves the machine, or `online`.
      folder: of the run.
    """

    name = "wandb"

    def __init__(self, project: str, mode: Mode, folder: pathlib.Path) -> None:
        self._project, self._mode, self._folder = project, mode, folder
        self._run: Any = None

    def begin(self, run, settings, known):
        """See `Tracker.begin`."""
        if self._mode == "offline":
            # It reports its own faults to its makers, unless told not to.
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._run = wandb.init(
            project=self._project,
            name=run,
            id=known or uuid.uuid4().hex[:8],
            dir=str(self._folder),
            mode=self._mode,
            # Offline there is no run to ask for.
            resume="allow" if self._mode == "online" else None,
            config=dict(settings),
            settings=wandb.Settings(silent=True, console="off"),
        )
        return self._run.id

    def log(self, epoch, metrics):
        """See `Tracker.log`."""
        self._run.log(dict(metrics), step=epoch)

    def show(self, ranker, dataset):
        """Nothing: what a run holds stays in its folder."""

    def end(self, *, has_failed):
        """See `Tracker.end`."""
        self._run.finish(exit_code=int(has_failed))
