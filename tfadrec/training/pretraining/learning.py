"""The model that learns, and how it does."""

import math
from collections.abc import Callable

from tfadrec import models, optimizers
from tfadrec.core.door import keras
from tfadrec.core.work_folder import WorkFolder
from tfadrec.layers.text import model_folder
from tfadrec.training.measure_epochs import MeasureEpochs
from tfadrec.training.pretraining.beginning import Beginning
from tfadrec.training.pretraining.pretraining import MONITOR
from tfadrec.training.pretraining.settings import Settings
from tfadrec.training.pretraining.streams import Streams
from tfadrec.training.saved_state import SavedState

#: Weights that do not decay: biases, and scales and shifts of norms.
_NO_DECAY = ("bias", "beta", "gamma")


def model_of(begin: Beginning, settings: Settings) -> keras.Model:
    """The encoder in a model with the loss of the objective, built.

    Raises:
      InputError: where the folder holds a part of a head only.
    """
    if settings.is_contrastive:
        assert settings.temperature is not None  # the default is filled in
        model = models.ContrastiveModel(
            begin.encoder,
            temperature=settings.temperature,
            symmetric=settings.symmetric,
            dtype=settings.precision,
        )
        model.build()
        return model
    model = models.LanguageModel(begin.encoder, dtype=settings.precision)
    model.build()
    model_folder.load_head(model.head, begin.folder)
    return model


def compile_model(model: keras.Model, settings: Settings, steps: int) -> None:
    """Gives the model an optimiser whose rate rises, and falls as a cosine.

    Args:
      model: built.
      settings: of the run.
      steps: in each epoch.
    """
    rate = float(settings.learning_rate)
    total = settings.epochs * steps
    warm = min(round(settings.warm_up * total), total - 1)
    schedule = optimizers.WarmUp(rate, warm, total, decay="cosine")
    optimizer = optimizers.LazyAdam(
        schedule, weight_decay=settings.weight_decay, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=list(_NO_DECAY))
    model.compile(optimizer)
    model.optimizer.build(model.trainable_variables)


def measure(
    model: keras.Model, streams: Streams, settings: Settings
) -> dict[str, float]:
    """The metrics of what is held out."""
    loss = model.evaluate(streams.held(), verbose=0)
    if settings.is_contrastive:
        return {MONITOR: loss}
    return {MONITOR: loss, "val_perplexity": math.exp(min(loss, 88.0))}


def learn(
    model: keras.Model,
    streams: Streams,
    settings: Settings,
    folder: WorkFolder,
    measured: Callable[[], dict[str, float]],
    progress: bool,
) -> list[dict[str, float]]:
    """Trains from where the run stands, and leaves the best weights.

    Args:
      model: compiled.
      streams: of the run.
      settings: likewise.
      folder: its, which is held.
      measured: gives the metrics of what is held out.
      progress: whether to show progress on standard error.

    Returns:
      One dict per epoch.

    Raises:
      InputError: where what was saved in the folder cannot be read.
    """
    steps = streams.steps(settings)
    state = SavedState(model, folder, MONITOR)
    if not state.is_over(settings.epochs, settings.patience):
        done = len(state.history)
        model.fit(
            streams.learn(seed=settings.seed, first_step=done * steps),
            initial_epoch=done,
            epochs=settings.epochs,
            steps_per_epoch=steps,
            verbose=0,
            callbacks=[
                MeasureEpochs(
                    state,
                    measured,
                    settings.epochs,
                    settings.patience,
                    steps,
                    progress,
                ),
                keras.callbacks.TensorBoard(
                    folder.path / "tensorboard", write_graph=False
                ),
            ],
        )
    state.restore_best()
    return state.history
