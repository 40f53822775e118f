"""Rows that a ranker did not learn from, to its calibration."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfadrec.calibration.calibration import Calibration, codes_of
from tfadrec.calibration.methods import METHODS
from tfadrec.calibration.shifts import fit_shifts
from tfadrec.calibration.task_calibration import TaskCalibration
from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset

MethodName = Literal["platt", "temperature", "beta", "isotonic"]
#: Task -> the label that it is learned from, where the click is 1.
_IF_CLICKED = "converted_if_clicked"


@takes(dataset="dataset")
def fit_calibration(
    logits: Mapping[str, NDArray],
    dataset: Dataset,
    *,
    method: MethodName = "platt",
    field: str | None = None,
    least: float = 0.0,
) -> Calibration:
    """Learns how logits have to be bent to be right.

    A task with one class only in these rows is left as it is.

    Args:
      logits: task -> [n], what a ranker predicts of these rows; binary tasks
        alone.
      dataset: the rows, which the ranker has not learned from.
      method: the curve for all rows.
      field: a category of ads, users, requests or candidates by its name or
        its tensor's: each value of it gets a shift, drawn towards none where it
        has few rows.
      least: rows of each class that a task must have, >= 0; one that has fewer
        is left as it is, too.

    Raises:
      InputError: for another method, or where there is no such field.
    """
    if method not in METHODS:
        raise InputError(
            f"`method` must be one of {', '.join(METHODS)}. Received: "
            f"method={method!r}."
        )
    tensor = None if field is None else _tensor(dataset, field)
    codes = None if tensor is None else codes_of(dataset, tensor)
    tasks = {}
    for task, values in logits.items():
        if task == "converted" and _IF_CLICKED in logits:
            continue  # composed of the others
        labels, weights = _labels(dataset, task)
        z = np.asarray(values, np.float64)
        used = weights > 0
        fewest = min(weights @ (labels == label) for label in (0, 1))
        if not fewest or fewest < least:
            continue
        curve = METHODS[method].fit(z[used], labels[used], weights[used])
        shifts = None
        if codes is not None:
            shifts = fit_shifts(
                curve(tf.constant(z[used])).numpy(),
                labels[used],
                weights[used],
                codes[used],
                int(codes.max(initial=0)) + 1,
            )
        tasks[task] = TaskCalibration(method, curve, shifts)
    times = dataset.impressions.times
    return Calibration(tasks, tensor, int(times.max()) if len(times) else None)


def _labels(dataset: Dataset, task: str) -> tuple[NDArray, NDArray]:
    """A task's labels, and the weights of rows, 0 where it has none."""
    rows = dataset.impressions
    weights = np.ones(len(dataset))
    if rows.weights is not None:
        weights = np.asarray(rows.weights, np.float64)
    name = "converted" if task == _IF_CLICKED else task
    if name not in rows.labels:
        raise InputError(
            "a calibration needs the labels of all tasks. Received: no "
            f"{name!r}, labels {', '.join(rows.labels)}."
        )
    if task == _IF_CLICKED:
        weights = weights * (np.asarray(rows.labels["clicked"]) == 1)
    return np.asarray(rows.labels[name], np.float64), weights


def _tensor(dataset: Dataset, field: str) -> str:
    """The tensor of a field that is named as in the log."""
    for feature in dataset.schema.features:
        named = (feature.name, f"{feature.entity}.{feature.name}")
        if field in named and feature.kind == "category":
            return feature.tensor
    return field
