"""Models against a reference, with intervals, on the same rows."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.comparison.compared_rows import ComparedRows
from tfadrec.evaluation.comparison.difference import Difference
from tfadrec.evaluation.comparison.resampling import (
    Unit,
    resample,
    units_of,
)
from tfadrec.evaluation.comparison.sampled import (
    Sampled,
    difference_of,
    equal_units,
    with_holm,
)
from tfadrec.evaluation.comparison.statistics import STATISTICS, Statistic
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.parts import labels_of, slices_of

#: Samples: the standard error is then itself known within 2.2 %.
REPLICATES = 1000


@takes(dataset="dataset", train="dataset")
def differences(
    models: Mapping[str, Sequence[Evaluation]],
    dataset: Dataset,
    *,
    train: Dataset | None = None,
    metrics: Sequence[str] = ("auc", "gauc", "log_loss", "rmse"),
    parts: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    by: Unit = "user",
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[Difference]:
    """Compares every model with the first one, on all rows and by slice.

    The same samples of users are drawn for all models (a paired bootstrap), so
    what makes rows hard for both cancels. Two spreads are told apart and added:

    - of the rows: the standard deviation over samples of the difference of the
      models' means over seeds;
    - of the seeds: sqrt(sum over both models of s^2 / S) for S seeds with the
      sample variance s^2; not known where both have one seed.

    The interval is difference +- t e, with e their root sum of squares and t
    the quantile of Student's distribution. Its degrees of freedom are those of
    Welch and Satterthwaite: of a model's seeds, S - 1; of the rows, one less
    than the users with a click, the users with another row, or the equally
    large users that all are worth (Kish's effective number), whichever are
    fewest.
    `detectable` is (t(97.5 %) + t(80 %)) e.

    Args:
      models: name -> evaluations, one per seed, that `evaluate` or `measure`
        made of the dataset; the first is the reference.
      dataset: the rows.
      train: see `evaluate`; with it there are cold and warm ads.
      metrics: those to compare, where a task has them: auc, gauc, log_loss,
        rmse, mae.
      parts: `all` and names of slices; None for all of them.
      columns: whose groups are slices as well, see `evaluate`.
      by: `user`, or `request` where users do not come again.
      replicates: samples, >= 2.
      seed: of the samples.

    Returns:
      A difference per task, metric, part and model but the first; those that
      are not defined, in a slice without clicks, have nan.

    Raises:
      InputError: where there are not two models, an evaluation has no scores of
        these rows, or there is no such metric or part.
    """
    _check(models, dataset, metrics, replicates)
    units, num_units = units_of(dataset.impressions, by)
    everything = {"all": np.ones(len(dataset), bool)}
    masks = everything | slices_of(dataset, train, columns)
    masks = {name: masks[name] for name in _chosen(parts, masks)}
    found = []
    for task in _tasks(models):
        labels, known = labels_of(dataset, task)
        compared = [m for m in metrics if _has(models, task, m)]
        is_binary = _has(models, task, "auc")
        masked = {name: mask & known for name, mask in masks.items()}
        same = {n: np.packbits(mask).tobytes() for n, mask in masked.items()}
        sampled = _sample(
            {n: [e.scores[task] for e in runs] for n, runs in models.items()},
            {
                name: _rows(dataset, labels, units, num_units, mask)
                for name, mask in masked.items()
            },
            masked,
            compared,
            replicates,
            seed,
        )
        freedom = {
            name: _freedom(labels[mask], units[mask], is_binary)
            for name, mask in masked.items()
        }
        for metric in compared:
            pairs = [
                difference_of(
                    *(task, metric, part, names),
                    *(sampled, freedom[part], by),
                )
                for part in masked
                for names in itertools.product(
                    list(models)[1:], list(models)[:1]
                )
            ]
            found += with_holm(pairs, same)
    return found


def _check(models, dataset, metrics, replicates):
    if len(models) < 2 or not all(models.values()):
        raise InputError(
            "a comparison needs two models with an evaluation each. Received: "
            f"{ {name: len(runs) for name, runs in models.items()} }."
        )
    for name, runs in models.items():
        for run in runs:
            if not run.scores or any(
                len(scores) != len(dataset) for scores in run.scores.values()
            ):
                raise InputError(
                    "models are compared by their scores of the same rows. "
                    f"Received: {name}, which has none of these "
                    f"{len(dataset)}. Evaluate it on them."
                )
    unknown = [metric for metric in metrics if metric not in STATISTICS]
    if unknown:
        raise InputError(
            f"models are compared by {', '.join(STATISTICS)}. Received: "
            f"{', '.join(unknown)}."
        )
    if replicates < 2:
        raise InputError(
            f"`replicates` must be >= 2. Received: replicates={replicates}."
        )


def _chosen(parts, masks):
    unknown = [name for name in parts or () if name not in masks]
    if unknown:
        raise InputError(
            f"rows are compared in the parts {', '.join(masks)}. Received: "
            f"{', '.join(unknown)}."
        )
    return masks if parts is None else list(dict.fromkeys(parts))


def _tasks(models):
    """The tasks that all models have."""
    everyone = [set(run.scores) for runs in models.values() for run in runs]
    first = next(iter(models.values()))[0].scores
    return [task for task in first if all(task in s for s in everyone)]


def _has(models, task, metric):
    return all(
        metric in run.metrics[task] for runs in models.values() for run in runs
    )


def _rows(dataset, labels, units, num_units, mask) -> ComparedRows:
    weights = dataset.impressions.weights
    return ComparedRows(
        labels[mask],
        np.asarray(dataset.impressions.users)[mask],
        units[mask],
        num_units,
        None if weights is None else weights[mask],
    )


def _freedom(labels, units, is_binary) -> float:
    """How many units there are to learn from, less one."""
    if not len(labels):
        return 0.0
    worth = equal_units(np.bincount(units).astype(np.float64))
    groups = [labels == 1, labels != 1] if is_binary else []
    of_class = [float(len(np.unique(units[group]))) for group in groups]
    return min([worth, *of_class]) - 1.0


def _sample(
    scores: Mapping[str, Sequence[NDArray]],
    rows: Mapping[str, ComparedRows],
    masks: Mapping[str, NDArray],
    metrics: Sequence[str],
    replicates: int,
    seed: int,
) -> dict[tuple[str, str, str], Sampled]:
    """(part, metric, model) -> its values, and those of samples."""
    statistics: dict[tuple, Statistic] = {}
    for part, metric in itertools.product(rows, metrics):
        if not len(rows[part].labels):
            continue
        for name, of_seeds in scores.items():
            for number, values in enumerate(of_seeds):
                statistics[part, metric, name, number] = STATISTICS[metric](
                    rows[part], np.asarray(values)[masks[part]]
                )
    any_rows = next(iter(rows.values()))
    drawn = resample(
        statistics,
        any_rows.num_units,
        max(len(r.labels) for r in rows.values()),
        replicates,
        seed,
    )
    once = np.ones([any_rows.num_units, 1])
    found: dict[tuple[str, str, str], Sampled] = {}
    for part, metric, name in itertools.product(rows, metrics, scores):
        keys = [(part, metric, name, i) for i in range(len(scores[name]))]
        if keys[0] in statistics:
            found[part, metric, name] = Sampled(
                [float(statistics[key](once)[0]) for key in keys],
                np.mean([drawn[key] for key in keys], axis=0),
            )
    return found
