"""A model's metrics over a dataset."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.memory import trim
from tfadrec.core.takes import takes
from tfadrec.data.by_user import predict
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.parts import labels_of, slices_of
from tfadrec.evaluation.reliability_bin import ReliabilityBin
from tfadrec.metrics import probabilities, ranking, top
from tfadrec.metrics.rows import Rows

if TYPE_CHECKING:
    from tfadrec.calibration import Calibration
    from tfadrec.data.dataset import Dataset

_BINS = 10


@takes(
    model="model", dataset="dataset", train="dataset", calibration="calibration"
)
def evaluate(
    model: Any,
    dataset: Dataset,
    *,
    train: Dataset | None = None,
    batch_size: int = 4096,
    k: int = 10,
    calibration: Calibration | None = None,
    columns: Sequence[str] = (),
) -> Evaluation:
    """Predicts every impression once and measures the predictions.

    Each task is measured on its label over all impressions, with their weights
    where they have some (but for metrics within a request). What a ranker of
    clicks and conversions says of `converted_if_clicked` is measured on the
    conversions of the impressions that were clicked, since elsewhere no one
    can tell.

    Slices: `empty_history` and `with_history`, by whether the user had any
    event before the impression; with `train`, `cold_ads` and `warm_ads`, by
    whether the ad had fewer than 10 training impressions (an ad that the
    catalogue does not know is cold).

    Args:
      model: its `predict(dataset.batches(batch_size))` gives a dict of task ->
        logits [n] in the dataset's row order.
      dataset: the impressions to measure on, with the labels of all tasks.
      train: the impressions the model was fitted on, over the same catalogue.
      batch_size: impressions per prediction step, >= 1.
      k: ranks that count in NDCG, hits and recall, >= 1; the latter two are nan
        where no request has more ads.
      calibration: of the model; None to measure its logits as they are.
      columns: whose groups are slices as well, see `groups.groups_of`.

    Returns:
      The metrics of all that is predicted, by slice, and the reliability bins.

    Raises:
      InputError: where the dataset is empty, lacks a task's label, has another
        catalogue than `train`, or the predictions are not finite logits [n].
    """
    if not len(dataset):
        raise InputError(
            "A dataset to evaluate on must have impressions. Received: 0. "
            "Choose a split that has some."
        )
    predictions = predict(model, dataset, batch_size)
    if calibration is not None:
        predictions = calibration.of_rows(predictions, dataset)
    real = {task for task in predictions if not _is_binary(model, task)}
    trim()
    return measure(
        predictions, dataset, real=real, train=train, k=k, columns=columns
    )


@takes(dataset="dataset", train="dataset")
def measure(
    predictions: Mapping[str, NDArray],
    dataset: Dataset,
    *,
    real: Collection[str] = (),
    train: Dataset | None = None,
    k: int = 10,
    columns: Sequence[str] = (),
) -> Evaluation:
    """What `evaluate` says of predictions that are already there.

    Args:
      predictions: task -> logits [n], or means of the tasks in `real`.
      dataset: see `evaluate`.
      real: the tasks whose labels are amounts.
      train: see `evaluate`.
      k: likewise.
      columns: likewise.

    Raises:
      InputError: see `evaluate`.
    """
    parts = slices_of(dataset, train, columns)
    people = dataset.impressions.people
    metrics, reliability, scores = {}, {}, {}
    slices: dict[str, dict[str, dict[str, float]]] = {p: {} for p in parts}
    for task, logits in predictions.items():
        labels, rows = labels_of(dataset, task)
        logits = np.asarray(logits)
        if logits.shape != labels.shape:
            raise InputError(
                "A task's logits must be [n], one per impression. Received: "
                f"shape {logits.shape} for {len(labels)} impressions, task "
                f"{task!r}. Predict over all of `dataset.batches(...)`."
            )
        scores[task] = logits
        is_binary = task not in real
        if is_binary:
            of_part = functools.partial(
                _measure, dataset, people, labels, logits, k
            )
            weights = dataset.impressions.weights
            reliability[task] = _reliability(labels, logits, weights, rows)
        else:
            of_part = functools.partial(_measure_real, dataset, labels, logits)
        metrics[task] = of_part(rows)
        for name, part in parts.items():
            slices[name][task] = of_part(part & rows)
    return Evaluation(metrics, slices, reliability, scores)


def _measure(
    dataset: Dataset,
    people: NDArray,
    labels: NDArray,
    logits: NDArray,
    k: int,
    part: NDArray[np.bool_],
) -> dict[str, float]:
    names = (
        "auc",
        "gauc",
        "uauc",
        "log_loss",
        "normalized_entropy",
        "calibration",
        f"ndcg@{k}",
        "mrr",
        f"hit@{k}",
        f"recall@{k}",
        "pr_auc",
        "rig",
        "brier",
        "ece",
        "calibration_low",
        "calibration_high",
    )
    if not part.any():
        return dict.fromkeys(names, float("nan")) | {"count": 0, "positives": 0}
    y, z, users = labels, logits, dataset.impressions.users
    w = dataset.impressions.weights
    values = (
        ranking.auc(y, z, w, part),
        ranking.group_auc(y, z, users, w, part),
        ranking.uauc(y, z, users, w, part),
        ranking.log_loss(y, z, w, part),
        ranking.normalized_entropy(y, z, w, part),
        ranking.calibration_ratio(y, z, w, part),
        *_in_requests(dataset, y, z, part, k),
        top.pr_auc(y, z, w, part),
        probabilities.relative_information_gain(y, z, w, part),
        probabilities.brier_score(y, z, w, part),
        probabilities.calibration_error(y, z, w, part),
        *probabilities.predicted_over_observed(y, z, w, part, groups=people)[
            1:
        ],
    )
    return dict(zip(names, values, strict=True)) | {
        "count": int(np.count_nonzero(part)),
        "positives": int(np.count_nonzero((y != 0) & part)),
    }


def _in_requests(
    dataset: Dataset,
    y: NDArray,
    z: NDArray,
    part: NDArray[np.bool_],
    k: int,
) -> tuple[float, ...]:
    """NDCG, MRR, hits and recall; nan of counted rows, which had no order.

    Hits and recall are nan as well where no request has more than k ads: all of
    them would be 1.
    """
    rows = dataset.impressions
    if rows.weights is not None and _has_twice(rows.requests, rows.ads, part):
        return (math.nan,) * 4
    given = Rows(y, z, groups=rows.requests, where=part)
    sizes = given.sums_by_group(lambda labels, _: np.ones(len(labels)))
    within = (math.nan,) * 2  # where all ads are among the first k
    if max(some.max() for some in sizes) > k:
        within = (
            top.hit_rate(y, z, rows.requests, k, part),
            top.recall(y, z, rows.requests, k, part),
        )
    return (
        ranking.ndcg(y, z, rows.requests, k, part),
        ranking.mrr(y, z, rows.requests, part),
        *within,
    )


def _has_twice(
    requests: NDArray, ads: NDArray, part: NDArray[np.bool_]
) -> bool:
    """Whether a request has an ad that the catalogue knows more than once."""
    known = part & (ads > 0)
    if not known.any():
        return False
    nothing = np.broadcast_to(np.int8(0), ads.shape)
    # Rows of one request and one ad are a tie.
    rows = Rows(nothing, ads, groups=requests, where=known)
    return any((some.tie_sizes > 1).any() for some in rows.in_order())


def _measure_real(
    dataset: Dataset,
    labels: NDArray,
    means: NDArray,
    part: NDArray[np.bool_],
) -> dict[str, float]:
    names = ("rmse", "mae", "mean_ratio")
    if not part.any():
        return dict.fromkeys(names, float("nan")) | {"count": 0}
    w = dataset.impressions.weights
    values = (
        ranking.rmse(labels, means, w, part),
        ranking.mae(labels, means, w, part),
        ranking.mean_ratio(labels, means, w, part),
    )
    return dict(zip(names, values, strict=True)) | {
        "count": int(np.count_nonzero(part))
    }


def _is_binary(model: Any, task: str) -> bool:
    """Whether a task's label is 0 or 1; it is for a model without losses."""
    losses = getattr(model, "task_losses", {})
    return task not in losses or losses[task].is_binary


def _reliability(
    labels: NDArray,
    logits: NDArray,
    weights: NDArray | None,
    part: NDArray[np.bool_],
) -> tuple[ReliabilityBin, ...]:
    """Ten bins of equal weight, fewer where there are fewer rows, or none."""
    if not part.any():
        return ()
    found = probabilities.reliability(labels, logits, weights, part, bins=_BINS)
    total = np.count_nonzero(part)
    if weights is not None:
        total = np.sum(weights, where=part)
    return tuple(
        ReliabilityBin(predicted, observed, round(share * total))
        for predicted, observed, share in zip(
            *(values.tolist() for values in found), strict=True
        )
    )
