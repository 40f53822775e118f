"""A retriever's run folder, between `tfadrec train` and `tfadrec export`."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Collection, Mapping

import numpy as np

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.core.import_allowed import import_allowed
from tfadrec.core.safe_load import load_model
from tfadrec.data.dataset import Dataset
from tfadrec.data.open_dataset import open_dataset
from tfadrec.metrics import retrieval
from tfadrec.models import AdRanker, AdRetriever
from tfadrec.models.catalogue_scores import catalogue_scores
from tfadrec.runs.before import check_run, check_training, data_path
from tfadrec.runs.folder import MODEL, require_intact, run_folder
from tfadrec.runs.record import claimed, fingerprint, read_record
from tfadrec.runs.sections import defaults_of
from tfadrec.runs.task import read_task
from tfadrec.training.build import build_retriever, check_builds_retriever
from tfadrec.training.by_size import batch_size_for
from tfadrec.training.distillation import Distillation
from tfadrec.training.fitted import save_model_of
from tfadrec.training.opened import open_data, split_parts
from tfadrec.training.run import load_run
from tfadrec.training.run_epochs import run_epochs
from tfadrec.training.saved_state import best_epoch, read_history
from tfadrec.training.text import check_text, parts_with_text, text_chosen

#: What the best epoch is told by, and that of a retriever that imitates.
MONITOR, OVERLAP = "val_recall@50", "val_overlap@10"
#: Rows that a ranker ranks ads for, to learn from and to measure by.
_TAUGHT, _COMPARED = 2000, 200
#: Passes over these rows, unless the settings tell: one is 31 steps.
IMITATED_EPOCHS = 20
#: Clicks of the validation rows that are measured after each epoch, and how
#: many at a time: each is compared with the whole catalogue.
_MEASURED, _AT_ONCE = 2000, 64


@dataclasses.dataclass(frozen=True)
class RetrieverRun:
    """A trained retriever and the rows that it was made with.

    Args:
      retriever: with its best weights.
      dataset: all of the rows.
      train: what it learned from.
      valid: what it was chosen by.
      test: what it has not seen.
      config: its settings.
      history: one dict of metrics per epoch.
    """

    retriever: AdRetriever
    dataset: Dataset
    train: Dataset
    valid: Dataset
    test: Dataset
    config: RunConfig
    history: list[dict[str, float]]

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the epoch whose weights the retriever has."""
        return self.history[best_epoch(self.history, _monitor(self.config)) - 1]

    @property
    def measured(self) -> Dataset:
        """The clicks of `valid` that each epoch is measured by."""
        return _measured_of(self.valid)


def train_retriever(
    data: str | pathlib.Path,
    config: RunConfig,
    out: str | pathlib.Path,
    *,
    until: int | None = None,
    progress: bool = True,
    allow_import: Collection[str] = (),
) -> RetrieverRun:
    """Trains a retriever on a dataset and writes the run folder.

    It learns from the clicks among the training rows; the epoch of the highest
    recall of 50 ads is kept. With `distil` it learns to order ads as a ranker
    does, for up to 2,000 training rows: from the ranker's 50 best ads of each
    and 50 others, in 20 epochs unless `fit` has other ones. The epoch is kept
    that has most of the ranker's ten best ads of 200 validation rows. Of a
    catalogue of more than 20,000 ads, samples of
    as many are ranked. As `train`, it goes on where it was killed.

    Args:
      data: a dataset folder.
      config: the settings, of a retriever.
      out: the run folder; a new one, or that of the same run.
      until: the epoch to stop after for now.
      progress: whether to show progress on standard error.
      allow_import: modules whose classes the settings may name, as
        `module:Class`. They are imported.

    Raises:
      InputError: where the folder holds another run, or anything else, another
        process writes to it, an argument is wrong, or there are no clicks on
        known ads to learn or to measure by.
    """
    if read_task().is_one_of_several:
        raise InputError(
            "a retriever is trained by one process. Received: TF_CONFIG with "
            "several processes. Unset it."
        )
    schema = check_training(data, config, out, allow_import, "retriever")
    import_allowed(allow_import)
    if config.text is not None:
        check_text(config.text)
    check_builds_retriever(config, schema, allow_import)
    dataset = open_dataset(data)
    record = {
        "data": data_path(data),
        "fingerprint": fingerprint(dataset),
        "config": config.to_yaml(),
    }
    config = dataclasses.replace(config, text=text_chosen(config.text, dataset))
    record["settings"] = config.to_yaml()
    folder = run_folder(out)
    with claimed(folder, record):
        dataset, parts = split_parts(dataset, config)
        dataset, parts = parts_with_text(dataset, parts, config.text)
        train, valid, test = parts
        clicks = _clicks(train, "training")
        measured = _measured_of(valid)
        defaults = defaults_of("fit")
        if config.distil is not None:
            defaults["epochs"] = IMITATED_EPOCHS
        fit = {**defaults, **config.fit}
        retriever = build_retriever(config, train, fit["seed"], allow_import)
        rows: Dataset | Distillation = clicks
        measure = _measure(retriever, measured)
        if config.distil is not None:
            ranker = _ranker(config.distil, data, record, allow_import)
            taught = functools.partial(
                Distillation.of, ranker, seed=fit["seed"], progress=progress
            )
            rows = taught(train, count=_TAUGHT)
            beside = taught(valid, count=_COMPARED)
            measure = _beside(measure, beside, retriever)
        size = min(fit["batch_size"] or batch_size_for(len(rows)), len(rows))
        history = run_epochs(
            folder,
            retriever,
            lambda first: rows.batches(
                size, seed=fit["seed"], first_step=first
            ),
            measure,
            steps=fit["steps_per_epoch"] or max(1, len(rows) // size),
            epochs=fit["epochs"],
            until=until,
            decay=fit["decay"],
            monitor=_monitor(config),
            patience=fit["patience"],
            progress=progress,
        )
        save_model_of(retriever, folder)
    return RetrieverRun(retriever, dataset, train, valid, test, config, history)


def load_retriever(
    run: str | pathlib.Path,
    *,
    data: str | pathlib.Path | None = None,
    allow_import: Collection[str] = (),
) -> RetrieverRun:
    """Reads the run folder of a retriever.

    Args:
      run: the folder.
      data: the dataset folder, where it is not where it was.
      allow_import: modules whose classes the run may have. They are imported.

    Raises:
      InputError: where the folder is no finished run of a retriever, or its
        dataset is not known or has changed since.
    """
    run = pathlib.Path(run)
    record = check_run(run, data, allow_import, models=("retriever",))
    require_intact(run, MODEL)
    config = RunConfig.from_yaml(record["settings"])
    dataset, parts = split_parts(open_data(record, data), config)
    retriever = load_model(run / MODEL, allow_import)
    if not isinstance(retriever, AdRetriever):
        raise InputError(
            "a retriever's model.keras must be one. Received: "
            f"{run}, where it is a {type(retriever).__name__}. Train again."
        )
    history = read_history(run, _monitor(config))
    return RetrieverRun(retriever, dataset, *parts, config, history)


def _monitor(config: RunConfig) -> str:
    return MONITOR if config.distil is None else OVERLAP


def _ranker(
    run: str,
    data: str | pathlib.Path,
    record: Mapping[str, str],
    allow_import: Collection[str],
) -> AdRanker:
    """The ranker to imitate, which must know the same ads and users."""
    found = load_run(run, data=data, allow_import=allow_import)
    if read_record(pathlib.Path(run))["fingerprint"] != record["fingerprint"]:
        raise InputError(
            "`distil` must be a run that was made with the same dataset. "
            f"Received: {run}. Train one of them again."
        )
    return found.ranker


def _beside(
    measure: Callable[[], dict[str, float]],
    ranked: Distillation,
    retriever: AdRetriever,
) -> Callable[[], dict[str, float]]:
    return lambda: {OVERLAP: ranked.overlap(retriever), **measure()}


def _clicks(rows: Dataset, what: str) -> Dataset:
    """The rows with a click on an ad of the catalogue."""
    impressions = rows.impressions
    is_click = impressions.labels["clicked"] > 0
    places = np.flatnonzero(is_click & (impressions.ads > 0))
    if not len(places):
        raise InputError(
            "a retriever learns from clicks on ads of the catalogue, and is "
            f"measured by them. Received: none in {len(rows)} {what} rows. "
            "Change the shares of `data`."
        )
    return rows.select(places)


def _measured_of(valid: Dataset) -> Dataset:
    """The clicks that are measured, from all of the time."""
    rows = _clicks(valid, "validation")
    count = min(len(rows), _MEASURED)
    return rows.select(np.linspace(0, len(rows) - 1, count).astype(np.int64))


def _measure(
    retriever: AdRetriever, clicks: Dataset
) -> Callable[[], dict[str, float]]:
    """Recall of 50 ads and NDCG of 10, of clicks in the whole catalogue."""

    def measure():
        scores_of = catalogue_scores(retriever)
        found = []
        for inputs, *_ in clicks.batches(_AT_ONCE):
            plain = {name: values.numpy() for name, values in inputs.items()}
            # Row 0, the unknown ad, is no ad to be found.
            scores = scores_of(plain)[:, 1:]
            found.append(retrieval.places(scores, plain["candidate_ads"] - 1))
        higher, equal = map(np.concatenate, zip(*found, strict=True))
        return {
            MONITOR: float(retrieval.recall(higher, equal, 50)),
            "val_ndcg@10": float(retrieval.ndcg(higher, equal, 10)),
        }

    return measure
