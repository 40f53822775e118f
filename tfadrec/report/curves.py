"""ROC and precision by recall, and calibration before and after."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation import Evaluation
from tfadrec.evaluation.page import table
from tfadrec.evaluation.parts import labels_of
from tfadrec.evaluation.table import format_metric
from tfadrec.metrics.rows import Rows
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
        if not known.any():
            continue
        weights = rows.impressions.weights
        drawn = {**models, **_best(baselines or {}, task)}
        found = {
            name: _curves(labels, e.scores[task], weights, known)
            for name, e in drawn.items()
            if task in e.scores
        }
        if not all(found.values()):  # a single class has no curve
            continue
        _, rate = next(iter(found.values()))["pr"][-1]  # of all rows
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


def _curves(
    labels: NDArray,
    scores: NDArray,
    weights: NDArray | None,
    where: NDArray[np.bool_] | None = None,
) -> dict[str, list[tuple[float, float]]]:
    """Points of both curves; none where there is a single class."""
    rows = Rows(labels, scores, weights, where=where)
    count, ends = 0, (0.0, 0.0)
    for hits, others in _above(rows):
        count += len(hits)
        if len(hits):
            ends = float(hits[-1]), float(others[-1])
    if not all(ends):
        return {}
    chosen = np.unique(np.linspace(0, count - 1, _POINTS).astype(int))
    found, before = [], 0
    for own in _above(rows):
        first, last = np.searchsorted(chosen, [before, before + len(own[0])])
        found.append(np.stack(own)[:, chosen[first:last] - before])
        before += len(own[0])
    hits, others = np.concatenate(found, axis=1)
    recall, wrong = hits / ends[0], others / ends[1]
    return {
        "roc": [(0.0, 0.0), *_pairs(wrong, recall)],
        "pr": _pairs(recall, hits / (hits + others)),
    }


def _above(rows: Rows) -> Iterator[tuple[NDArray, NDArray]]:
    """How many clicks and others score as each tie does, or more.

    Rows of equal scores are told apart by nothing: one point for them. Until a
    row counts, a precision is that of nothing.
    """
    hits = others = 0
    for some in rows.in_order():
        clicks = np.cumsum(some.tie_clicks) + hits
        rest = np.cumsum(some.tie_others) + others
        hits, others = clicks[-1], rest[-1]
        counts = clicks + rest > 0
        yield clicks[counts], rest[counts]


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
