"""One line where a ranker has learned nothing that a baseline does not know."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.one_class import one_class
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.comparison import differences
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.parts import labels_of
from tfadrec.evaluation.standings import SHOWN

#: Standard errors around 0.5 in which an AUC is chance.
_ERRORS = 2.0
#: How far from 1 predicted over observed clicks may be, beyond so many standard
#: errors.
_OFF, _SURE = 0.05, 3.0
#: Rows that are resampled at most, more or less: a thousand samples of as many
#: take half a minute.
_MOST_RESAMPLED = 1 << 21
#: An odd number whose multiples are all over the place (Knuth, volume 3, 6.4).
_ODD = np.uint64(0x9E3779B97F4A7C15)
#: Standard errors to either end of an interval of 95 %.
_INTERVAL = 1.96


@takes(evaluation="evaluation", dataset="dataset")
def verdicts(
    name: str,
    evaluation: Evaluation,
    baselines: Mapping[str, Evaluation],
    dataset: Dataset,
    metric: str = "auc",
) -> list[str]:
    """What is wrong with a ranker, in lines; none where all is well.

    A binary task whose label has one value alone in the rows that it is known
    of cannot be judged, nor one by a metric that they do not tell. One whose
    AUC is below 0.5 plus two standard errors cannot be told from chance. The
    error is that of the Mann-Whitney statistic without any effect,
    sqrt((p + q + 1) / (12 p q)) for p clicks and q non-clicks. Else the ranker
    is compared with the best baseline: it is ahead where the 95 % interval of
    their difference, over resampled users, lies above 0. Of more than two
    million rows those of some users are resampled. Probabilities are
    wrong where predicted over observed clicks are more than 0.05 and three
    standard errors from 1.

    Args:
      name: of the ranker.
      evaluation: what `evaluate` or `measure` made of these impressions.
      baselines: the same of the baselines.
      dataset: these impressions.
      metric: what is compared: `auc`, `gauc`, `uauc` or `log_loss`; of a
        real label it is `rmse`.
    """
    lines = []
    some = _some_rows(dataset)
    for task, metrics in evaluation.metrics.items():
        compared = metric if metric in metrics else "rmse"
        own = metrics[compared]
        others = {
            baseline: found.metrics[task][compared]
            for baseline, found in baselines.items()
            if task in found.metrics
        }
        others = {n: v for n, v in others.items() if v == v}
        labels, weights = _known(task, dataset)
        single = compared != "rmse" and one_class(task, labels, weights, "rows")
        if single:
            lines.append(
                f"{name} cannot be judged: {single}, where it has no AUC. "
                "Measure on rows that have both values, by other shares of "
                "`data: {valid: …, test: …}` or more rows."
            )
            continue
        if compared != "rmse":
            margin = _chance_margin(labels, weights)
            if metrics["auc"] <= 0.5 + margin:
                lines.append(
                    f"{name} cannot be told from chance: {task} AUC "
                    f"{metrics['auc']:.4f} on {len(labels):,} rows, where "
                    f"chance reaches {0.5 + margin:.4f}."
                )
                continue
            if own != own and metrics["auc"] == metrics["auc"]:
                lines.append(
                    f"{name} cannot be judged by {compared} of {task}, which "
                    "these rows do not tell: no user has rows of both values. "
                    "Monitor auc: `fit: {monitor: val_auc}`."
                )
                continue
        lines += _wrong_probabilities(name, task, metrics)
        if not others or own != own:
            continue
        sign = 1 if SHOWN[compared] else -1
        best = max(others, key=lambda n: sign * others[n])
        (found,) = (
            difference
            for difference in differences(
                {
                    best: [_of(baselines[best], some)],
                    name: [_of(evaluation, some)],
                },
                dataset.select(some),
                metrics=[compared],
                parts=["all"],
            )
            if difference.task == task
        )
        if not found.gain[0] > 0:
            lines.append(
                f"{name} is not ahead of the best baseline: {task} {compared} "
                f"{own:.4f}, {best} {others[best]:.4f}; {found.interval}."
            )
    return lines


def _some_rows(dataset: Dataset) -> NDArray[np.intp]:
    """The rows that are resampled: all of them, or of some users all."""
    n = len(dataset)
    if n <= _MOST_RESAMPLED:
        return np.arange(n)
    places = dataset.impressions.people.astype(np.uint64) * _ODD
    return np.flatnonzero(places / 2.0**64 < _MOST_RESAMPLED / n)


def _of(evaluation: Evaluation, rows: NDArray[np.intp]) -> Evaluation:
    scores = {task: found[rows] for task, found in evaluation.scores.items()}
    return dataclasses.replace(evaluation, scores=scores)


def _wrong_probabilities(
    name: str, task: str, metrics: Mapping[str, float]
) -> list[str]:
    """The line for a task whose predictions are too high or too low."""
    ratio, low, high = (
        metrics.get(f"calibration{end}", float("nan"))
        for end in ("", "_low", "_high")
    )
    if not 0 < low <= high:
        return []
    # The interval is one of the logarithm.
    error = np.log(high / low) / (2 * _INTERVAL)
    if not abs(np.log(ratio)) - _SURE * error > np.log1p(_OFF):
        return []
    return [
        f"{name} predicts {ratio:.2f} times as many {task} as there were, "
        f"95 % interval {low:.2f} to {high:.2f}. `tfadrec calibrate` learns a "
        "curve, and says whether it helps."
    ]


def _known(task: str, dataset: Dataset) -> tuple[NDArray, NDArray]:
    """The labels and the weights of the rows that a task is known of."""
    labels, known = labels_of(dataset, task)
    weights = dataset.impressions.weights
    weights = np.ones(len(labels)) if weights is None else weights
    return labels[known], weights[known]


def _chance_margin(labels: NDArray, weights: NDArray) -> float:
    """How far from 0.5 an AUC is by chance; nan with one class only."""
    clicks = float(weights[labels == 1].sum())
    others = float(weights[labels != 1].sum())
    if not (clicks and others):
        return float("nan")
    error = np.sqrt((clicks + others + 1) / (12 * clicks * others))
    return min(0.5, _ERRORS * float(error))
