"""A ranker whose settings keras-tuner chooses, in one process."""

import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker
from tfadrec.runs.sections import defaults_of
from tfadrec.training import build_ranker, fit, with_text
from tfadrec.training.members import OF_RUNS
from tfadrec.training.opened import split_parts
from tfadrec.training.saved_state import best_epoch
from tfadrec.training.text import text_chosen
from tfadrec.tuning.door import keras_tuner
from tfadrec.tuning.objective import check_objective, with_monitor
from tfadrec.tuning.search_space import SearchSpace


class AdRankerHyperModel(keras_tuner.HyperModel):
    """Builds and fits rankers for keras-tuner's own tuners.

    `search` needs no arguments: the rows are those of the dataset, split as
    the settings say. A trial is trained by `training.fit`, and the weights of
    its best epoch are the trial's. Hyperband's promoted trials go on exactly
    where they were, at the learning rate that was planned.

    Override `settings`, or `build`, for another model. `tuning.tune` is the
    search with a process for each trial.

    Args:
      dataset: all rows.
      folder: for checkpoints and logs of what is trained.
      space: what is chosen; the default space where it is left out.
      objective: `val_auc`, `val_gauc`, `val_uauc` or `val_log_loss`.

    Raises:
      InputError: where the objective is unknown.

    Example:
      >>> from tfadrec import data, tuning
      >>> dataset = data.open_dataset("data/ml")              # doctest: +SKIP
      >>> model = AdRankerHyperModel(dataset, "sweeps/fits")  # doctest: +SKIP
      >>> tuner = tuning.Hyperband(                           # doctest: +SKIP
      ...     model, model.objective, max_epochs=5, directory="sweeps")
      >>> tuner.search()                                      # doctest: +SKIP
    """

    def __init__(
        self,
        dataset: Dataset,
        folder: str | os.PathLike[str],
        space: SearchSpace | None = None,
        objective: str = "val_auc",
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self.folder = pathlib.Path(folder)
        self.space = space or SearchSpace.default()
        #: To be given to the tuner.
        self.objective = check_objective(objective)
        self._catalogues: dict[str, Any] = {}

    def settings(self, hp) -> RunConfig:
        """The settings of a trial.

        Args:
          hp: keras-tuner's `HyperParameters`.
        """
        return self.space.sample(hp)

    def build(self, hp) -> AdRanker:
        """A compiled ranker of these settings."""
        config = self.settings(hp)
        dataset, _ = self._rows(config)
        return build_ranker(config, dataset, config.fit.get("seed", 0))

    def fit(
        self,
        hp,
        model: AdRanker,
        *,
        epochs: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **_: Any,
    ) -> dict[str, float]:
        """Trains and measures.

        Args:
          hp: as for `build`.
          model: what that returned.
          epochs: the epoch to stop after, which Hyperband tells.
          callbacks: keras-tuner's; they are shown the best epoch alone.

        Returns:
          The metrics of the best epoch.
        """
        config = with_monitor(self.settings(hp), self.objective.name)
        _, (train, valid, _) = self._rows(config)
        key = hashlib.sha256(config.to_yaml().encode()).hexdigest()[:16]
        planned = config.fit.get("epochs", defaults_of("fit")["epochs"])
        history = fit(
            model,
            train,
            valid,
            self.folder / key,
            until=min(epochs or planned, planned),
            progress=False,
            **{k: v for k, v in config.fit.items() if k not in OF_RUNS},
        )
        number = best_epoch(history, self.objective.name)
        best = history[number - 1]
        shown = keras.callbacks.CallbackList(list(callbacks), model=model)
        shown.on_train_begin()
        shown.on_epoch_begin(number - 1)
        shown.on_epoch_end(number - 1, dict(best))
        shown.on_train_end()
        return best

    def _rows(self, config: RunConfig):
        """The dataset and its parts, with the text vectors of the settings."""
        dataset, parts = split_parts(self.dataset, config)
        key = json.dumps(config.text, sort_keys=True)
        if key not in self._catalogues:
            text = text_chosen(config.text, dataset)
            self._catalogues[key] = with_text(dataset, text).catalogue
        catalogue = self._catalogues[key]
        return dataset.with_catalogue(catalogue), [
            part.with_catalogue(catalogue) for part in parts
        ]
