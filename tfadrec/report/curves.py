"""ROC and precision by recall, and calibration before and after."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation import Evaluation
from tfadrec.evaluation.page import table
from tfadrec.evaluation.parts import labels_of
from tfadrec.evaluation.table import format_metric
from tfadrec.report.chart import lines

#: Points of a curve that are drawn.
_POINTS = 200
_MEASURES = ("log_loss", "ece", "brier", "calibration")


@takes(rows="dataset")
def curves_section(
    models: Mapping[str, Evaluation],
    rows: Dataset,
    baselines: Mapping[str, Evaluation] | None = None,
) -> list[str]:
    """A ROC and a precision-recall curve of each binary task.

    Args:
      models: name -> evaluation, of these rows.
      rows: what they were measured on.
      baselines: the same of baselines, of which the best one is drawn.
    """
    body = []
    tasks = dict.fromkeys(
        t for e in models.values() for t in e.reliability if t in e.scores
    )
    for task in tasks:
        labels, known = labels_of(rows, task)
        weights = rows.impressions.weights
        kept = None if weights is None else weights[known]
        drawn = {**models, **_best(baselines or {}, task)}
        found = {
            name: _curves(labels[known], e.scores[task][known], kept)
            for name, e in drawn.items()
            if task in e.scores
        }
        if not all(found.values()):  # a single class has no curve
            continue
        rate = float(np.average(labels[known], weights=kept))
        roc = {name: curve["roc"] for name, curve in found.items()}
        precision = {name: curve["pr"] for name, curve in found.items()}
        body += [
            lines(
                f"ROC, {task}",
                {**roc, "chance": [(0.0, 0.0), (1.0, 1.0)]},
                across="false positive rate",
                up="true positive rate",
                x_range=(0.0, 1.0),
                y_range=(0.0, 1.0),
            ),
            lines(
                f"precision by recall, {task}",
                {**precision, "chance": [(0.0, rate), (1.0, rate)]},
                across="recall",
                up="precision",
                x_range=(0.0, 1.0),
                y_range=(0.0, 1.0),
            ),
        ]
    return ["<h2>ROC and precision</h2>", *body] if body else []


def calibration_section(raw: Evaluation, calibrated: Evaluation) -> list[str]:
    """Reliability and its measures, before and after a calibration.

    Args:
      raw: of the ranker's own logits.
      calibrated: of the calibrated ones, on the same rows.
    """
    both = {"before": raw, "after": calibrated}
    body = ["<p>Before and after the run's calibration:</p>"]
    for task, bins in raw.reliability.items():
        shown = {
            name: [(b.predicted, b.observed) for b in e.reliability[task]]
            for name, e in both.items()
        }
        if not bins:
            continue
        most = max(max(point) for points in shown.values() for point in points)
        body.append(
            lines(
                f"reliability, {task}",
                {**shown, "right": [(0.0, 0.0), (most, most)]},
                across="predicted",
                up="observed",
                x_range=(0.0, most or 1.0),
                y_range=(0.0, most or 1.0),
                dots=True,
            )
        )
        measured = [
            [name, *(format_metric(m, e.metrics[task][m]) for m in _MEASURES)]
            for name, e in both.items()
        ]
        body.append(table([[task, *_MEASURES], *measured]))
    return body


def _curves(labels: NDArray, scores: NDArray, weights: NDArray | None):
    """Points of both curves; none where there is a single class."""
    w = np.ones(len(labels)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    hits, others = (
        np.cumsum(w[order] * labels[order]),
        np.cumsum(w[order] * (1 - labels[order])),
    )
    # Rows of equal scores are told apart by nothing: one point for them.
    is_last = np.append(np.diff(scores[order]) != 0, True)
    # Until a row counts, a precision is that of nothing.
    last = np.flatnonzero(is_last & (hits + others > 0))
    hits, others = hits[last], others[last]
    if not len(hits) or not (hits[-1] and others[-1]):
        return {}
    recall, wrong = hits / hits[-1], others / others[-1]
    precision = hits / (hits + others)
    some = np.unique(np.linspace(0, len(last) - 1, _POINTS).astype(int))
    return {
        "roc": [(0.0, 0.0), *_pairs(wrong[some], recall[some])],
        "pr": _pairs(recall[some], precision[some]),
    }


def _pairs(x: NDArray, y: NDArray) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _best(
    baselines: Mapping[str, Evaluation], task: str
) -> dict[str, Evaluation]:
    """The baseline with the best AUC of a task, if there is one."""
    aucs = {
        name: found.metrics[task]["auc"]
        for name, found in baselines.items()
        if "auc" in found.metrics.get(task, ()) and task in found.scores
    }
    known = {name: value for name, value in aucs.items() if value == value}
    if not known:
        return {}
    name = max(known, key=lambda n: known[n])
    return {name: baselines[name]}
