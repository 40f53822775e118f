"""What models and rows must be, so that something can be learned."""

import logging
from typing import Any

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.one_class import one_class
from tfadrec.data.dataset import Dataset
from tfadrec.data.impressions import Impressions
from tfadrec.layers import DynamicIdEmbedding
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.models import RankingModel

_LOG = logging.getLogger(__name__)


def check_shares(model: RankingModel, batch_size: int) -> None:
    """Refuses batches that cannot be shared out in equal parts.

    Args:
      model: any model.
      batch_size: rows or requests of a step.

    Raises:
      InputError: where the replicas of its strategy cannot share them out.
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            "`batch_size` must be a multiple of the number of replicas, which "
            f"share a batch out. Received: batch_size={batch_size} of "
            f"{replicas} replicas. Take {batch_size + -batch_size % replicas}."
        )


def check_compiled(model: RankingModel) -> None:
    """Refuses what cannot be trained as it was compiled, or as it was read.

    Args:
      model: compiled and built.

    Raises:
      InputError: for a table of ids that come and go, under XLA; for a model
        that has learned, and whose optimiser knows nothing of it.
    """
    if not is_whole(model):
        raise InputError(
            "a model goes on learning with what its optimiser knows. Received: "
            "one that was read without. Read the run with "
            "`load_run(run, optimizer=True)`, or compile the model anew."
        )
    if model.jit_compile and any(
        isinstance(part, DynamicIdEmbedding) for part in model.submodules
    ):
        raise InputError(
            "a `DynamicIdEmbedding` counts ids by ops that XLA does not have. "
            "Received: jit_compile=True. Compile the model without it, or "
            "take `HashedIdEmbedding`."
        )


def is_whole(model: RankingModel) -> bool:
    """Whether a model could go on learning as if it had never ended.

    Args:
      model: compiled. One that was read to be asked has no moments of the steps
        that it has learned.
    """
    optimizer: Any = model.optimizer
    # Under mixed_float16 Keras has wrapped it.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    is_built = hasattr(optimizer, "_index_dict")
    return is_built or not int(optimizer.iterations)


def check_goal(
    model: RankingModel, by: str = "row", monitor: str = "val_auc"
) -> None:
    """Refuses what does not go with the losses of a model.

    Args:
      model: any model.
      by: see `fit`.
      monitor: see `fit`.

    Raises:
      InputError: for rows where a loss compares the ads of a request, or a
        metric that the first task does not have.
    """
    loss = model.task_losses[model.tasks[0]]
    if loss.is_binary == (monitor == "val_rmse"):
        raise InputError(
            "`monitor` must be a metric of the first task: val_rmse for real "
            f"labels, another for binary ones. Received: {monitor!r} for "
            f"{model.tasks[0]!r} with the loss {loss.name}. Name another "
            "metric, or another loss."
        )
    comparing = [
        f"{loss.name} for {task}"
        for task, loss in model.task_losses.items()
        if loss.by_request
    ]
    if by == "row" and comparing:
        raise InputError(
            "a loss that compares the ads of a request needs `by: request`. "
            f"Received: by='row' with {', '.join(comparing)}."
        )


def check_labels(model: RankingModel, dataset: Dataset) -> None:
    """Refuses labels that are not what the losses of a model are for.

    Args:
      model: any model.
      dataset: whose labels it would learn.

    Raises:
      InputError: for a label that the dataset does not have, or that is not 0
        or 1 where the loss is a binary one, or where all rows have the weight
        0, or one below 0.
    """
    rows = dataset.impressions
    for task, name in model.row_weights.items():
        weights = rows.labels.get(name)
        if weights is None:
            raise InputError(
                "`row_weights` must be labels of the dataset, which has "
                f"{', '.join(rows.labels)}. Received: {name!r} for {task!r}. "
                "Prepare the column as a label: `labels: {name: real}`."
            )
        if len(weights) and weights.min() < 0:
            raise InputError(
                "`row_weights` must be >= 0. Received: "
                f"{name!r} for {task!r}, from {weights.min():g} to "
                f"{weights.max():g}. Correct the label, or name another one."
            )
    if rows.weights is not None and len(rows.weights) and not any(rows.weights):
        raise InputError(
            "rows to train or to measure on must not all have the weight 0. "
            f"Received: {len(rows.weights):,} rows that do. Take other shares "
            "of rows, or mend the weights."
        )
    for task, loss in model.task_losses.items():
        labels = rows.labels.get(task)
        if labels is None:
            raise InputError(
                "tasks must be labels of the dataset, which has "
                f"{', '.join(rows.labels)}. Received: {task!r}. Correct "
                "`tasks` of the model."
            )
        if not loss.is_binary:
            continue
        others = labels[(labels != 0) & (labels != 1)]
        if len(others):
            raise InputError(
                f"the loss {loss.name} is for labels of 0 and 1. Received: "
                f"{task} with {others[0]:g} and others. Name a loss for real "
                f"labels: `ranker: {{losses: {{{task}: squared}}}}`, or huber, "
                "or ziln for amounts that are mostly 0."
            )


def check_compared(model: RankingModel, dataset: Dataset) -> None:
    """Refuses losses that compare the ads of a request where none differ.

    Where such a loss is added to one of single rows, it warns.

    Args:
      model: any model.
      dataset: the rows to learn from.

    Raises:
      InputError: where nothing could be learned of a task.
    """
    rows = dataset.impressions
    for task, loss in model.task_losses.items():
        if not loss.by_request or not len(rows.requests):
            continue
        differing, requests = _differing(rows.labels[task], rows.requests)
        if differing:
            _warn_of_counts(loss, rows)
            continue
        found = (
            "a loss that compares the ads of a request needs requests whose "
            f"ads differ in {task}. Received: {loss.name} with "
            f"{len(rows.requests):,} rows of {requests:,} requests, of which "
            "none has two values of it"
        )
        mend = (
            "Name the log's requests (`request_id`), or take `losses: "
            f"{{{task}: binary}}`."
        )
        if not loss.is_calibrated:
            raise InputError(f"{found}. {mend}")
        _LOG.warning("%s: that part learns nothing. %s", found, mend)


def _differing(values: np.ndarray, requests: np.ndarray) -> tuple[int, int]:
    """How many requests have rows of two values, and how many there are."""
    order = np.lexsort((values, requests))
    values, requests = values[order], requests[order]
    ends = np.flatnonzero(np.append(np.diff(requests) != 0, True))
    starts = np.append(0, ends[:-1] + 1)
    return int((values[starts] != values[ends]).sum()), len(ends)


def _warn_of_counts(loss: TaskLoss, rows: Impressions) -> None:
    """Where rows stand for many, and the loss compares each but once."""
    if loss.counts_rows or rows.weights is None:
        return
    if differing := _differing(rows.weights, rows.requests)[0]:
        _LOG.warning(
            "%s compares each row of a request once, whatever its weight is, "
            "and the weights differ in %d requests. Where they are counts of "
            "impressions, take softmax, ranknet or jrc.",
            loss.name,
            differing,
        )


def check_told(model: RankingModel, valid: Dataset, monitor: str) -> None:
    """Refuses to choose by a metric that validation rows do not tell.

    Args:
      model: any model.
      valid: the rows, whose labels are those of its losses.
      monitor: see `fit`.

    Raises:
      InputError: for a metric within users where no user has both values of
        the first task.
    """
    if monitor not in ("val_gauc", "val_uauc"):
        return
    rows, task = valid.impressions, model.tasks[0]
    counted = np.ones(len(rows.users)) if rows.weights is None else rows.weights
    users = [
        rows.users[(counted > 0) & (rows.labels[task] == value)]
        for value in (0, 1)
    ]
    # Rows of one value tell no other metric either: of these is warned.
    if all(map(len, users)) and not len(np.intersect1d(*users)):
        raise InputError(
            "`monitor` must be a metric that the validation rows tell. "
            f"Received: {monitor!r} with {len(rows.users):,} rows, of which no "
            f"user has both values of {task}. Take `fit: {{monitor: "
            "val_auc}`, or more rows by `data: {valid: …}`."
        )


def check_amounts(model: RankingModel, dataset: Dataset) -> None:
    """Refuses losses of amounts for labels of 0 and 1.

    Of all rows to learn from: a day may have a single sale, of an amount of 1.

    Args:
      model: any model.
      dataset: whose labels it would learn.

    Raises:
      InputError: for a loss of amounts whose labels are 0 and 1, both.
    """
    for task, loss in model.task_losses.items():
        labels = dataset.impressions.labels.get(task)
        if loss.is_binary or labels is None:
            continue
        ones = np.count_nonzero(labels == 1)
        if 0 < ones < len(labels) == ones + np.count_nonzero(labels == 0):
            raise InputError(
                f"the loss {loss.name} is for amounts. Received: {task}, whose "
                f"labels are 0 and 1. Leave {task} out of `losses`, or name "
                "binary."
            )


def check_weighed(model: RankingModel, dataset: Dataset) -> None:
    """Refuses weights of a task's rows by which nothing of it is learned.

    Of all rows to learn from: on a day all may be 0.

    Args:
      model: any model.
      dataset: the rows to learn from, whose labels weigh the tasks' rows.

    Raises:
      InputError: where all rows of a task have the weight 0.
    """
    for task, name in model.row_weights.items():
        weights = dataset.impressions.labels.get(name)
        if weights is not None and len(weights) and not weights.any():
            raise InputError(
                "`row_weights` must leave training rows of each task. "
                f"Received: {name!r} for {task!r}, which is 0 in all "
                f"{len(weights):,}. Name another label, or leave the task out."
            )


def warn_of_cut_labels(model: RankingModel, dataset: Dataset) -> None:
    """Says where labels are below what a loss is for.

    Args:
      model: any model.
      dataset: the rows to learn from.
    """
    for task, loss in model.task_losses.items():
        labels = dataset.impressions.labels[task]
        low = np.count_nonzero(labels < loss.least)
        if low:
            _LOG.warning(
                "%s is for labels from %g on, and what is below counts as "
                "that. Received: %s with %s of %s training rows below, the "
                "least %g. Correct them, leave them out with `where`, or take "
                "squared or huber.",
                *(loss.name, loss.least, task, f"{low:,}", f"{len(labels):,}"),
                labels.min(),
            )


def warn_of_one_class(model: RankingModel, dataset: Dataset, what: str) -> None:
    """Says where rows tell nothing of a task of labels 0 and 1.

    Args:
      model: any model.
      dataset: the rows, whose labels are those of its losses.
      what: what they are called.
    """
    rows = dataset.impressions
    for task, loss in model.task_losses.items():
        if loss.is_binary:
            found = one_class(task, rows.labels[task], rows.weights, what)
            if found:
                _LOG.warning(
                    "%s: nothing can be learned or told of it there. Take "
                    "other shares by `data: {valid: …, test: …}`, or more "
                    "rows.",
                    found,
                )
