"""The trackers that the section `track` asks for."""

import importlib.util
import pathlib

from tfadrec.core.errors import InputError
from tfadrec.training.tracking.tracker import Tracker
from tfadrec.training.tracking.wandb_tracker import Mode

#: Where Keras' callback writes the metrics of epochs.
_LOGS = "tensorboard/train"


def trackers(
    folder: pathlib.Path,
    *,
    hparams: bool = False,
    projector: bool = False,
    wandb: str | None = None,
    wandb_mode: Mode = "offline",
    mlflow: str | None = None,
    mlflow_experiment: str = "tfadrec",
) -> list[Tracker]:
    """The trackers of a run, none of which has begun.

    Args:
      folder: of the run.
      hparams: whether TensorBoard shows the settings.
      projector: whether TensorBoard shows the vectors of ads.
      wandb: the project in Weights & Biases; None for none.
      wandb_mode: `offline`, by which nothing leaves the machine, or `online`.
      mlflow: the store of MLflow, such as `sqlite:///mlflow.db`; None for none.
      mlflow_experiment: the runs' experiment there.

    Raises:
      InputError: where a program is not installed.
    """
    found: list[Tracker] = []
    if hparams or projector:
        # It imports TensorFlow.
        from tfadrec.training.tracking import tensorboard_tracker

        found.append(
            tensorboard_tracker.TensorboardTracker(
                folder / _LOGS, has_settings=hparams, has_ads=projector
            )
        )
    if wandb is not None:
        from tfadrec.training.tracking.wandb_tracker import WandbTracker

        _require("wandb")
        found.append(WandbTracker(wandb, wandb_mode, folder))
    if mlflow is not None:
        from tfadrec.training.tracking.mlflow_tracker import MlflowTracker

        _require("mlflow")
        found.append(MlflowTracker(mlflow, mlflow_experiment))
    return found


def _require(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise InputError(
            f"`track: {{{name}: ...}}` needs {name}. Received: an environment "
            f"without it. Install it: pip install 'tfadrec[{name}]'."
        )
