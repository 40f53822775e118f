"""What the baselines make of the rows that a ranker is measured on."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfadrec.core.memory import trim
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines import BASELINES
from tfadrec.evaluation.evaluate import measure
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.parts import labels_of
from tfadrec.models.ad_ranker import CONVERTED_IF_CLICKED


@takes(train="dataset", dataset="dataset")
def evaluate_baselines(
    train: Dataset,
    dataset: Dataset,
    tasks: Mapping[str, bool] | None = None,
) -> dict[str, Evaluation]:
    """Fits every baseline that applies, and measures it.

    Args:
      train: the rows to fit on; with text vectors in the column `text` of the
        catalogue, where there are some.
      dataset: the rows to measure on, over the same catalogue and users.
      tasks: label -> whether it is 0 or 1; `clicked` by default. Of clicks and
        conversions there is `converted_if_clicked` too, fitted to the rows that
        were clicked.

    Returns:
      A baseline's name -> its evaluation, in the order of `BASELINES`.

    Raises:
      InputError: where the dataset is empty or lacks a label.
    """
    found = {}
    tasks = {"clicked": True} if tasks is None else tasks
    if tasks.get("clicked") and tasks.get("converted"):
        tasks = {**tasks, CONVERTED_IF_CLICKED: True}
    learned = {task: _rows_of(train, task) for task in tasks}
    for kind in BASELINES:
        models = [kind(label, binary) for label, binary in tasks.items()]
        scores = {
            model.label: model.fit(learned[model.label]).scores(dataset)
            for model in models
            if len(learned[model.label]) and model.applies(learned[model.label])
        }
        if scores:
            real = {task for task in scores if not tasks[task]}
            found[kind.name] = measure(scores, dataset, real=real, train=train)
        trim()
    return found


def _rows_of(train: Dataset, task: str) -> Dataset:
    """The rows that a task is known of, with its label."""
    if task != CONVERTED_IF_CLICKED:
        return train
    labels, known = labels_of(train, task)
    if train.impressions.weights is not None:
        known = known & (train.impressions.weights > 0)
    chosen = train.select(np.flatnonzero(known))
    rows = dataclasses.replace(
        chosen.impressions,
        labels={**chosen.impressions.labels, task: labels[known]},
    )
    return dataclasses.replace(chosen, impressions=rows)
