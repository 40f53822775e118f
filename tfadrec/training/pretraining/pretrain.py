"""A language model learns from the ad copy of a dataset: the whole run."""

import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.data.open_dataset import open_dataset
from tfadrec.layers.text.pooling import Pooling
from tfadrec.runs.folder import pretraining_folder
from tfadrec.runs.record import claimed, fingerprint
from tfadrec.training.pretraining import learning
from tfadrec.training.pretraining.beginning import (
    begin_with_given,
    begin_with_new,
)
from tfadrec.training.pretraining.checks import check_settings
from tfadrec.training.pretraining.folders import write_model
from tfadrec.training.pretraining.parts import parted
from tfadrec.training.pretraining.pretraining import Pretraining
from tfadrec.training.pretraining.settings import Settings
from tfadrec.training.pretraining.streams import streams_of


def pretrain(
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    objective: str = "masked",
    model: str | os.PathLike[str] | Mapping[str, Any] = "minilm",
    held_out: float = 0.1,
    masked_share: float = 0.15,
    pairs: str = "dropout",
    window_seconds: int = 86_400,
    events: Sequence[str] | None = None,
    valid: float = 0.1,
    test: float = 0.1,
    temperature: float | None = None,
    symmetric: bool = False,
    pooling: Pooling = "mean",
    max_tokens: int = 64,
    dropout: float | None = None,
    precision: str = "float32",
    learning_rate: float = 1e-4,
    warm_up: float = 0.1,
    weight_decay: float = 0.01,
    batch_size: int = 32,
    epochs: int = 5,
    steps_per_epoch: int | None = None,
    patience: int = 2,
    seed: int = 0,
    progress: bool = True,
) -> Pretraining:
    """Trains a language model on the ad copy of a dataset.

    After each epoch the held-out loss is measured and the state of the run is
    saved; training ends early where it has not fallen for `patience` epochs,
    and the best weights are kept. Called again with the same arguments after
    being killed at any moment, it goes on from the last epoch that was saved,
    and ends with the weights that it would have ended with.

    Args:
      data: a dataset folder.
      out: a folder of its own, for `model/`, `checkpoints/`, `state.json`,
        `run.json` and `tensorboard/`.
      objective: `masked` (for a BERT) or `causal` (GPT-2) language modelling,
        see `models.LanguageModel`, or `contrastive`, see
        `models.ContrastiveModel`.
      model: the name or folder of the model to begin with; or, for a new one, a
        mapping with `type` (`bert` or `gpt2`) and optionally `vocabulary_size`
        (8000), `width` (128), `num_layers` (2), `num_heads` (2) and
        `max_tokens` (64). A new one gets a tokenizer trained on the texts that
        are not held out.
      held_out: the share of the distinct texts to measure on, in (0, 1); of the
        users, for pairs of clicks.
      masked_share: of the tokens to guess, in (0, 1).
      pairs: what contrastive learning brings together: `dropout`, a text with
        itself, or `clicks`, ads that a user acted on close in time.
      window_seconds: how close that is.
      events: the types of events that count; None for all but skipped ads.
      valid: as of `data.split_by_time`: pairs come from before the first of the
        rows that a ranker with the same shares is validated or tested on.
      test: likewise.
      temperature: see `losses.InBatchInfoNCE`; None for 0.05 with pairs by
        dropout and 0.3 with pairs of clicks.
      symmetric: likewise.
      pooling: of the encoder, for contrastive learning.
      max_tokens: at which a text is cut.
      dropout: rate in [0, 1); None for that of the model's config.
      precision: `float32`, `mixed_bfloat16` or `mixed_float16`.
      learning_rate: > 0, reached after the warm-up; it falls to zero as a
        cosine.
      warm_up: the share of the steps in which it rises, in [0, 1).
      weight_decay: as of AdamW, >= 0; norms and biases do not decay.
      batch_size: texts or pairs in a step, >= 1, and >= 2 for pairs.
      epochs: how often to measure at most, >= 1.
      steps_per_epoch: steps between two measurements; None for one pass.
      patience: epochs without improvement that end the training, >= 1.
      seed: of what is held out, of new weights, order, masks and dropout.
      progress: whether to show progress on standard error.

    Raises:
      TfadrecError: where the model cannot be had.
      InputError: where an argument is out of range, the objective is not for
        the model's type, the dataset has too little to learn from, the
        tokenizer does not fit, or the folder holds another run.
    """
    settings = Settings(
        objective=objective,
        model=model,
        held_out=held_out,
        masked_share=masked_share,
        pairs=pairs,
        window_seconds=window_seconds,
        events=events,
        valid=valid,
        test=test,
        temperature=temperature,
        symmetric=symmetric,
        pooling=pooling,
        max_tokens=max_tokens,
        dropout=dropout,
        precision=precision,
        learning_rate=learning_rate,
        warm_up=warm_up,
        weight_decay=weight_decay,
        batch_size=batch_size,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        patience=patience,
        seed=seed,
    )
    return _run(data, pretraining_folder(out), settings, progress)


def _run(
    data: str | pathlib.Path,
    folder: WorkFolder,
    settings: Settings,
    progress: bool,
) -> Pretraining:
    """The steps of a run, in their order."""
    check_settings(settings)
    settings = settings.with_temperature()
    folder.check()
    out = folder.path
    dataset = open_dataset(data)
    parts = parted(dataset, settings)
    # A model that cannot be had leaves the folder free for another call.
    given = begin_with_given(settings)
    with claimed(folder, _record(data, dataset, settings)):
        begin = given or begin_with_new(
            settings, out / "begin", parts.learned_texts
        )
        tokenizer = begin.tokenizer(settings.max_tokens)
        model = learning.model_of(begin, settings)
        streams = streams_of(parts, tokenizer, settings)
        learning.compile_model(model, settings, streams.steps(settings))
        measure = functools.partial(learning.measure, model, streams, settings)
        before = measure()
        history = learning.learn(
            model, streams, settings, folder, measure, progress
        )
        head = None if settings.is_contrastive else model.head
        write_model(out / "model", begin.folder, begin.encoder, head)
    texts = parts.corpus.texts
    return Pretraining(
        out / "model", before, history, len(texts), tokenizer.cut_share(texts)
    )


def _record(
    data: str | pathlib.Path, dataset: Dataset, settings: Settings
) -> dict[str, str]:
    """What the run is begun with, as `claimed` writes it."""
    is_address = "://" in str(data)
    return {
        "data": str(data if is_address else pathlib.Path(data).resolve()),
        "fingerprint": fingerprint(dataset),
        "config": settings.to_yaml(),
    }
