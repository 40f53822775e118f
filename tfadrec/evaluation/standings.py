"""Many models on the same rows: a line for each."""

from collections.abc import Mapping

from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.table import align, format_metric

#: Metrics that are shown, and whether more of it is better.
SHOWN = {
    "auc": True,
    "gauc": True,
    "uauc": True,
    "log_loss": False,
    "rmse": False,
    "mae": False,
}


def standings(evaluations: Mapping[str, Evaluation]) -> str:
    """An aligned text table per task; a star marks the best of a column."""
    tables = standings_rows(evaluations)
    return "\n\n".join(align(rows) for rows in tables)


def standings_rows(
    evaluations: Mapping[str, Evaluation],
) -> list[list[list[str]]]:
    """The cells of `standings`, a table per task, header first.

    Args:
      evaluations: model name -> its evaluation, all on the same impressions.
    """
    tasks = dict.fromkeys(t for e in evaluations.values() for t in e.metrics)
    return [
        _rows(task, {n: e for n, e in evaluations.items() if task in e.metrics})
        for task in tasks
    ]


def _rows(task: str, models: Mapping[str, Evaluation]) -> list[list[str]]:
    known = next(iter(models.values())).metrics[task]
    names = [name for name in SHOWN if name in known]
    columns = []
    for name in names:
        values = [model.metrics[task][name] for model in models.values()]
        # As shown, so that what looks equal shares the star.
        shown = [round(value, 4) for value in values if value == value]
        pick = max if SHOWN[name] else min
        best = pick(shown) if shown else None
        columns.append(
            [
                format_metric(name, value)
                + (" *" if round(value, 4) == best else "  ")
                for value in values
            ]
        )
    return [
        [task, *(f"{name}  " for name in names)],
        *([n, *cells] for n, *cells in zip(models, *columns, strict=True)),
    ]
