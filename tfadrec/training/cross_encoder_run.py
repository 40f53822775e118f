"""A cross-encoder's run folder, of `tfadrec train`."""

import dataclasses
import pathlib
from collections.abc import Callable, Collection

import numpy as np

from tfadrec.core.config import RunConfig
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.import_allowed import import_allowed
from tfadrec.core.safe_load import load_model
from tfadrec.data.copy.lower_layers import lower_layers
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.dataset import Dataset
from tfadrec.data.open_dataset import open_dataset
from tfadrec.losses.task_loss import log_odds
from tfadrec.models import CrossEncoder
from tfadrec.runs.before import check_run, check_training, data_path
from tfadrec.runs.folder import MODEL, require_intact, run_folder
from tfadrec.runs.record import claimed, fingerprint
from tfadrec.runs.sections import defaults_of
from tfadrec.runs.task import read_task
from tfadrec.training.build import build_cross_encoder
from tfadrec.training.by_size import count_examples
from tfadrec.training.checks import check_labels
from tfadrec.training.fitted import save_model_of
from tfadrec.training.opened import open_data, split_parts
from tfadrec.training.run_epochs import run_epochs
from tfadrec.training.saved_state import best_epoch, read_history
from tfadrec.training.text import (
    check_text,
    parts_with_text,
    require_copy,
    tokenizer_of,
)
from tfadrec.training.without_steps import METRICS

#: Requests of a batch, unless the settings tell. A language model needs steps.
_BATCH = 16
#: Requests that are read at once where nothing is trained, and those that tell
#: where logits begin.
_AT_ONCE, _SAMPLED = 32, 32


@dataclasses.dataclass(frozen=True)
class CrossEncoderRun:
    """A trained cross-encoder and the rows that it was made with.

    Args:
      reader: with its best weights.
      dataset: all of the rows.
      train: what it learned from.
      valid: what it was chosen by.
      test: what it has not seen.
      config: its settings.
      history: one dict of metrics per epoch.
    """

    reader: CrossEncoder
    dataset: Dataset
    train: Dataset
    valid: Dataset
    test: Dataset
    config: RunConfig
    history: list[dict[str, float]]

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the epoch whose weights the cross-encoder has."""
        return self.history[best_epoch(self.history, _monitor(self.config)) - 1]

    @property
    def tokenizer(self) -> Tokenizer:
        """What it reads ad copy by."""
        assert self.config.text is not None  # or nothing could be read
        return tokenizer_of(self.config.text)

    def logits(self, rows: Dataset) -> np.ndarray:
        """Those of rows of its dataset, float32 [n]."""
        return row_logits(self.reader, rows)


def train_cross_encoder(
    data: str | pathlib.Path,
    config: RunConfig,
    out: str | pathlib.Path,
    *,
    until: int | None = None,
    progress: bool = True,
    allow_import: Collection[str] = (),
) -> CrossEncoderRun:
    """Trains a cross-encoder on a dataset and writes the run folder.

    It learns by request from all training rows, 16 requests in a batch unless
    `fit.batch_size` tells; the epoch is kept that is best on the validation
    rows. As `train`, it goes on where it was killed.

    Args:
      data: a dataset folder.
      config: the settings, of a cross-encoder.
      out: the run folder; a new one, or that of the same run.
      until: the epoch to stop after for now.
      progress: whether to show progress on standard error.
      allow_import: modules whose classes the settings may name, as
        `module:Class`. They are imported.

    Raises:
      InputError: where the folder holds another run, or anything else, another
        process writes to it, no ad has any copy, or an argument is wrong.
    """
    if read_task().is_one_of_several:
        raise InputError(
            "a cross-encoder is trained by one process. Received: TF_CONFIG "
            "with several processes. Unset it."
        )
    check_training(data, config, out, allow_import, "cross_encoder")
    import_allowed(allow_import)
    assert config.text is not None  # as `check_training` has seen
    check_text(config.text)
    dataset = open_dataset(data)
    require_copy(dataset)
    record = {
        "data": data_path(data),
        "fingerprint": fingerprint(dataset),
        "config": config.to_yaml(),
    }
    folder = run_folder(out)
    with claimed(folder, record):
        dataset, parts = split_parts(dataset, config)
        dataset, parts = parts_with_text(dataset, parts, config.text)
        train, valid, test = parts
        learn = _without_features(train)
        fit = {**defaults_of("fit"), **config.fit}
        reader = build_cross_encoder(config, dataset, fit["seed"], allow_import)
        check_labels(reader, dataset)
        _start_from_file(reader, dataset)
        requests = count_examples(learn, "request")
        size = min(fit["batch_size"] or _BATCH, requests)
        history = run_epochs(
            folder,
            reader,
            lambda first: learn.batches(
                size, by="request", seed=fit["seed"], first_step=first
            ),
            _measure(reader, valid),
            steps=fit["steps_per_epoch"] or max(1, requests // size),
            epochs=fit["epochs"],
            until=until,
            decay=fit["decay"],
            monitor=_monitor(config),
            patience=fit["patience"],
            progress=progress,
            begin=lambda: _start(reader, learn),
        )
        save_model_of(reader, folder)
    return CrossEncoderRun(reader, dataset, train, valid, test, config, history)


def load_cross_encoder(
    run: str | pathlib.Path,
    *,
    data: str | pathlib.Path | None = None,
    allow_import: Collection[str] = (),
) -> CrossEncoderRun:
    """Reads the run folder of a cross-encoder.

    Args:
      run: the folder.
      data: the dataset folder, where it is not where it was.
      allow_import: modules whose classes the run may have. They are imported.

    Raises:
      InputError: where the folder is no finished run of a cross-encoder, or its
        dataset is not known or has changed since.
    """
    run = pathlib.Path(run)
    record = check_run(run, data, allow_import, models=("cross_encoder",))
    require_intact(run, MODEL)
    config = RunConfig.from_yaml(record["config"])
    dataset, parts = split_parts(open_data(record, data), config)
    reader = load_model(run / MODEL, allow_import)
    if not isinstance(reader, CrossEncoder):
        raise InputError(
            "a cross-encoder's model.keras must be one. Received: "
            f"{run}, where it is a {type(reader).__name__}. Train again."
        )
    dataset, parts = parts_with_text(dataset, parts, config.text)
    _start_from_file(reader, dataset)
    history = read_history(run, _monitor(config))
    return CrossEncoderRun(reader, dataset, *parts, config, history)


def row_logits(reader: CrossEncoder, rows: Dataset) -> np.ndarray:
    """The logits of rows, which are read request by request.

    Args:
      reader: built.
      rows: of the dataset whose catalogue it reads.

    Returns:
      float32 [n], in the order of the rows.
    """
    rows = _without_features(rows)
    slates = rows.slates()
    score = tf.function(reader, reduce_retracing=True)
    found = []
    for inputs, *_ in rows.batches(_AT_ONCE, by="request"):
        logits = score(inputs)["clicked"].numpy()
        found.append(logits[inputs["candidate_mask"].numpy()])
    logits = np.empty(len(rows), np.float32)
    if len(rows):
        ends = zip(slates.starts, slates.sizes, strict=True)
        order = [slates.rows[start : start + size] for start, size in ends]
        logits[np.concatenate(order)] = np.concatenate(found)
    return logits


def _without_features(rows: Dataset) -> Dataset:
    """Rows without what a cross-encoder does not read.

    So those of a request may differ in it.
    """
    shown = dataclasses.replace(rows.impressions, columns={})
    return dataclasses.replace(rows, impressions=shown)


def _monitor(config: RunConfig) -> str:
    return config.fit.get("monitor", "val_auc")


def _start_from_file(reader: CrossEncoder, dataset: Dataset) -> None:
    """Has the trained blocks start from what the frozen ones gave once."""
    tokens = dataset.catalogue.tokens
    if tokens is not None and reader.encoder.num_frozen_layers:
        reader.read_lower_layers(lower_layers(tokens, reader.encoder))


def _start(reader: CrossEncoder, train: Dataset) -> None:
    rows = train.impressions
    level = np.average(rows.labels["clicked"], weights=rows.weights)
    inputs, *_ = next(iter(train.batches(_SAMPLED, by="request")))
    reader.start_at(log_odds(level), inputs)


def _measure(
    reader: CrossEncoder, valid: Dataset
) -> Callable[[], dict[str, float]]:
    rows = valid.impressions

    def measure():
        logits = row_logits(reader, valid)
        return {
            f"val_{name}": metric(rows.labels["clicked"], logits, rows)
            for name, metric in METRICS.items()
        }

    return measure
