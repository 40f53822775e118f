"""A language model learns from the ad copy of a dataset, before any ranker."""

import dataclasses
import inspect
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import yaml

from tfadrec import models, optimizers
from tfadrec.core import pretrained
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.data.copy import text_batches
from tfadrec.data.copy.corpus import Corpus
from tfadrec.data.copy.near_events import NearEvents
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.copy.train_tokenizer import train_tokenizer
from tfadrec.data.dataset import Dataset
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.split import split_by_time
from tfadrec.layers.text import AdEncoder, load_encoder, model_folder
from tfadrec.training.measure_epochs import MeasureEpochs
from tfadrec.training.record import claim, fingerprint
from tfadrec.training.saved_state import SavedState, best_epoch
from tfadrec.training.settings import refuse_unknown

#: Objective -> the model types that it is for.
_OBJECTIVES = {
    "masked": ("bert",),
    "causal": ("gpt2",),
    "contrastive": ("bert", "gpt2"),
}
#: Pairs -> the default temperature. Clicks hardly tell their partners apart: at
#: the one for equal texts the best that a model can do is to make all vectors
#: alike.
_TEMPERATURES = {"dropout": 0.05, "clicks": 0.3}
#: Dtype policies; weights in half precision would not learn.
_PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_MONITOR = "val_loss"
#: Settings of a new model.
_NEW = (
    "type",
    "vocabulary_size",
    "width",
    "num_layers",
    "num_heads",
    "max_tokens",
)
#: Weights that do not decay: biases, and scales and shifts of norms.
_NO_DECAY = ("bias", "beta", "gamma")


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """A language model that has learned from ad copy.

    Args:
      folder: the model's: config.json, model.safetensors and the tokenizer's
        files, as `from_pretrained` and transformers read them.
      before: `val_loss`, and for a language model `val_perplexity`, of the
        weights that it began with.
      history: one dict per epoch, with `loss` and what stands in `before`.
      num_texts: distinct texts of the dataset.
      cut_share: the share of them that were cut at `max_tokens`.
    """

    folder: pathlib.Path
    before: dict[str, float]
    history: list[dict[str, float]]
    num_texts: int
    cut_share: float

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the epoch whose weights are in the folder."""
        return self.history[best_epoch(self.history, _MONITOR) - 1]


@dataclasses.dataclass(frozen=True)
class _Texts:
    """What there is to learn from: streams of batches."""

    learn: Callable[..., tf.data.Dataset]  # of seed and first_step
    held: Callable[[], tf.data.Dataset]
    count: int  # texts or anchors of one pass


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
    pooling: str = "mean",
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
      events: the types of events that count; None for all.
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
    settings = {
        name: value
        for name, value in locals().items()
        if name not in ("data", "out", "progress")
    }
    _check(settings)
    if temperature is None:
        settings["temperature"] = _TEMPERATURES[pairs]
    out = pathlib.Path(out)
    dataset = open_dataset(data)
    corpus = Corpus.of(dataset.catalogue)
    learn, held = corpus.hold_out(held_out, seed)
    near = None
    if objective == "contrastive" and pairs == "clicks":
        near = _near_events(dataset, corpus, settings)
    keras.utils.set_random_seed(seed)
    if not isinstance(model, Mapping):
        begin = pretrained.locate(model)
        encoder = _load(begin, settings)
    record = {
        "data": str(
            data if "://" in str(data) else pathlib.Path(data).resolve()
        ),
        "fingerprint": fingerprint(dataset),
        "config": yaml.safe_dump(_plain(settings), sort_keys=False),
    }
    claim(out, record)
    if isinstance(model, Mapping):
        texts = [corpus.texts[place] for place in learn]
        begin = _new_model(out / "begin", model, texts)
        keras.utils.set_random_seed(seed)  # also where it was made before
        encoder = _load(begin, settings)
    tokenizer = Tokenizer.from_pretrained(begin, max_tokens=max_tokens)
    tokenizer.check_fits(encoder.vocabulary_size, encoder.max_tokens)
    if objective == "contrastive":
        trained = models.ContrastiveModel(
            encoder,
            temperature=settings["temperature"],
            symmetric=symmetric,
            dtype=precision,
        )
    else:
        trained = models.LanguageModel(encoder, dtype=precision)
    trained.build()
    if objective != "contrastive":
        model_folder.load_head(trained.head, begin)
    ids = tokenizer.ids(corpus.texts)
    streams = _streams(settings, ids, tokenizer, learn, held, near)
    steps = steps_per_epoch or max(1, streams.count // batch_size)
    _compile(trained, settings, steps)

    def measure() -> dict[str, float]:
        loss = trained.evaluate(streams.held(), verbose=0)
        if objective == "contrastive":
            return {_MONITOR: loss}
        return {_MONITOR: loss, "val_perplexity": math.exp(min(loss, 88.0))}

    before = measure()
    state = SavedState(trained, out, _MONITOR)
    if not state.is_over(epochs, patience):
        done = len(state.history)
        trained.fit(
            streams.learn(seed=seed, first_step=done * steps),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=steps,
            verbose=0,
            callbacks=[
                MeasureEpochs(
                    state, measure, epochs, patience, steps, progress
                ),
                keras.callbacks.TensorBoard(
                    out / "tensorboard", write_graph=False
                ),
            ],
        )
    state.restore_best()
    head = None if objective == "contrastive" else trained.head
    _write(out / "model", begin, encoder, head)
    return Pretraining(
        out / "model",
        before,
        state.history,
        len(corpus.texts),
        tokenizer.cut_share(corpus.texts),
    )


def pretraining_settings() -> list[str]:
    """The settings of `pretrain`, as they stand in a config."""
    parameters = inspect.signature(pretrain).parameters.values()
    return [
        p.name
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.name != "progress"
    ]


def _check(settings: Mapping[str, Any]) -> None:
    """What can be told before anything is read."""
    for name, choices in (
        ("objective", tuple(_OBJECTIVES)),
        ("pairs", tuple(_TEMPERATURES)),
        ("precision", _PRECISIONS),
    ):
        if settings[name] not in choices:
            raise InputError(
                f"`{name}` must be one of {', '.join(choices)}. Received: "
                f"{settings[name]!r}."
            )
    contrastive = settings["objective"] == "contrastive"
    for name, least in (
        ("batch_size", 2 if contrastive else 1),
        ("epochs", 1),
        ("steps_per_epoch", 1),
        ("patience", 1),
        ("max_tokens", 1),
        ("seed", 0),
    ):
        value = settings[name]
        if name == "steps_per_epoch" and value is None:
            continue
        if type(value) is not int or value < least:
            raise InputError(
                f"`{name}` must be an integer >= {least}. Received: "
                f"{name}={value!r}."
            )
    for name, low, high in (
        ("learning_rate", 0.0, math.inf),
        ("temperature", 0.0, math.inf),
        ("masked_share", 0.0, 1.0),
        ("warm_up", -math.ulp(0.0), 1.0),
        ("weight_decay", -math.ulp(0.0), math.inf),
    ):
        value = settings[name]
        if name == "temperature" and value is None:
            continue
        if not isinstance(value, int | float) or not low < value < high:
            bound = ">= 0" if low else "> 0"
            raise InputError(
                f"`{name}` must be a number {bound}"
                f"{'' if high == math.inf else ' and < 1'}. Received: "
                f"{name}={value!r}."
            )
    equal = contrastive and settings["pairs"] == "dropout"
    if equal and settings["dropout"] == 0:
        raise InputError(
            "pairs of a text with itself need dropout to differ. Received: "
            "dropout=0. Choose a rate > 0, or `pairs: clicks`."
        )
    if isinstance(settings["model"], Mapping):
        _check_new(settings)


def _check_new(settings: Mapping[str, Any]) -> None:
    """What can be told of a new model before it is made."""
    sizes = dict(settings["model"])
    refuse_unknown("a new `model`", _NEW, sizes)
    kind = sizes.pop("type", None)
    _check_type(settings["objective"], kind)
    sizes["vocabulary_size"] = 1
    encoder = model_folder.ENCODERS[kind](
        model_folder.new_config(kind, **sizes),
        pooling=settings["pooling"],
        dropout=settings["dropout"],
    )
    if settings["max_tokens"] > encoder.max_tokens:
        raise InputError(
            "texts must be cut at the positions of a new model. Received: "
            f"max_tokens={settings['max_tokens']} for {encoder.max_tokens} "
            "positions. Lower it, or give the model more `max_tokens`."
        )


def _check_type(objective: str, model_type: Any) -> None:
    if model_type not in _OBJECTIVES[objective]:
        raise InputError(
            f"the objective {objective} is for a model of type "
            f"{' or '.join(_OBJECTIVES[objective])}. Received: "
            f"{model_type!r}. Choose another objective or model."
        )


def _load(folder: pathlib.Path, settings: Mapping[str, Any]) -> AdEncoder:
    """The encoder to train."""
    encoder = load_encoder(
        folder,
        name="text",
        tuning="full",
        pooling=settings["pooling"],
        dropout=settings["dropout"],
        dtype=settings["precision"],
    )
    _check_type(settings["objective"], encoder.model_type)
    return encoder


def _near_events(
    dataset: Dataset, corpus: Corpus, settings: Mapping[str, Any]
) -> tuple[NearEvents, NearEvents]:
    """Pairs to learn from and pairs held out, before what is measured on."""
    _, valid, test = split_by_time(
        dataset, valid=settings["valid"], test=settings["test"]
    )
    first = min(part.impressions.times.min() for part in (valid, test))
    events = NearEvents.of(
        dataset,
        corpus,
        before=int(first),
        window_seconds=settings["window_seconds"],
        event_types=settings["events"],
    )
    return events.hold_out(settings["held_out"], settings["seed"])


def _new_model(
    folder: pathlib.Path,
    model: Mapping[str, Any],
    texts: Sequence[str],
) -> pathlib.Path:
    """Writes a model with new weights and a tokenizer of its own, once."""
    if folder.exists():
        return folder
    sizes = {"vocabulary_size": 8000, **model}
    kind, asked = sizes.pop("type"), sizes.pop("vocabulary_size")
    fresh = _emptied(folder.with_name("begin.fresh"))
    try:
        count = train_tokenizer(
            texts, fresh, model_type=kind, vocabulary_size=asked
        )
    except InputError:
        fresh.rmdir()  # the run's folder is free for other settings
        raise
    config = model_folder.new_config(kind, vocabulary_size=count, **sizes)
    encoder = model_folder.ENCODERS[kind](config)
    encoder.build(None)
    model_folder.save_model(fresh, encoder)
    os.replace(fresh, folder)
    return folder


def _streams(
    settings: Mapping[str, Any],
    ids: Sequence[Sequence[int]],
    tokenizer: Tokenizer,
    learn: np.ndarray,
    held: np.ndarray,
    near: tuple[NearEvents, NearEvents] | None,
) -> _Texts:
    size = settings["batch_size"]

    def stream(make, part, **arguments):
        chosen = [ids[place] for place in part]
        return lambda **order: make(
            chosen, tokenizer, size, **arguments, **order
        )

    if near is not None:
        every = np.arange(len(ids))
        return _Texts(
            stream(text_batches.near_pairs, every, events=near[0]),
            stream(text_batches.near_pairs, every, events=near[1]),
            len(near[0].anchors),
        )
    objective = settings["objective"]
    make = {
        "masked": text_batches.masked_batches,
        "causal": text_batches.causal_batches,
        "contrastive": text_batches.equal_pairs,
    }[objective]
    arguments = (
        {"share": settings["masked_share"]} if objective == "masked" else {}
    )
    return _Texts(
        stream(make, learn, **arguments),
        stream(make, held, **arguments),
        len(learn),
    )


def _compile(
    model: keras.Model, settings: Mapping[str, Any], steps: int
) -> None:
    rate = float(settings["learning_rate"])
    total = settings["epochs"] * steps
    warm = min(round(settings["warm_up"] * total), total - 1)
    schedule = optimizers.WarmUp(rate, warm, total, decay="cosine")
    optimizer = optimizers.LazyAdam(
        schedule, weight_decay=settings["weight_decay"], global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=list(_NO_DECAY))
    model.compile(optimizer)
    model.optimizer.build(model.trainable_variables)


def _write(
    folder: pathlib.Path,
    begin: pathlib.Path,
    encoder: AdEncoder,
    head: Any,
) -> None:
    """The model, and the tokenizer that it began with, under a whole name."""
    fresh = _emptied(folder.with_name("model.fresh"))
    for name in pretrained.TOKENIZER_FILES:
        if (begin / name).is_file():
            shutil.copyfile(begin / name, fresh / name)
    model_folder.save_model(fresh, encoder, head)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(fresh, folder)


def _emptied(folder: pathlib.Path) -> pathlib.Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as YAML holds them."""
    plain = dict(settings)
    model = plain["model"]
    plain["model"] = (
        dict(model) if isinstance(model, Mapping) else os.fspath(model)
    )
    if plain["events"] is not None:
        plain["events"] = list(plain["events"])
    return plain
