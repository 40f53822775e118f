"""The measures of probabilities, side by side."""

from collections.abc import Mapping

from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.table import align, format_metric

#: Those that are shown, and of the order, which must not change within a field.
_SHOWN = (
    *("log_loss", "rig", "brier", "ece"),
    *("calibration", "calibration_low", "calibration_high", "auc"),
)


def probabilities_text(evaluations: Mapping[str, Evaluation]) -> str:
    """An aligned table per binary task, a line per model.

    Args:
      evaluations: name -> evaluation, all on the same impressions.
    """
    first = next(iter(evaluations.values()))
    tables = []
    for task, metrics in first.metrics.items():
        if "ece" not in metrics:
            continue
        rows = [[task, *_SHOWN]] + [
            [name, *(format_metric(m, e.metrics[task][m]) for m in _SHOWN)]
            for name, e in evaluations.items()
        ]
        tables.append(align(rows))
    return "\n\n".join(tables)
