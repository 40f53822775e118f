"""Models side by side, over seeds."""

import statistics
from collections.abc import Mapping, Sequence

from tfadrec.core.errors import InputError
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.table import align

#: Printed below every comparison.
FOOTNOTE = "mean ± sample standard deviation over seeds; * the best mean"


def compare(evaluations: Mapping[str, Sequence[Evaluation]]) -> str:
    """Mean ± sample standard deviation over seeds, a column per model.

    A star marks the best mean in a row, which is not a test of significance:
    the spread stands beside it. One evaluation alone has no spread. A mean
    over seeds of which one is undefined is nan.

    Args:
      evaluations: model name -> its evaluations, one per seed, on the same
        impressions.

    Returns:
      An aligned text table per task.

    Raises:
      InputError: where a model has no evaluation, or there is no model.
    """
    tables = [align(rows) for rows in comparison_rows(evaluations)]
    return "\n\n".join([*tables, FOOTNOTE])


def comparison_rows(
    evaluations: Mapping[str, Sequence[Evaluation]],
) -> list[list[list[str]]]:
    """The cells of `compare`, a table per task, header first."""
    if not evaluations or not all(evaluations.values()):
        received = {name: len(runs) for name, runs in evaluations.items()}
        raise InputError(
            "A comparison needs at least one evaluation of every model. "
            f"Received: {received}. Pass model name -> evaluations."
        )
    everyone = [run for runs in evaluations.values() for run in runs]
    tables = []
    for task in dict.fromkeys(t for run in everyone for t in run.metrics):
        rows = [[task, *(_heading(n, r) for n, r in evaluations.items())]]
        for label, part, metric in _lines(task, everyone):
            values = {
                name: [_value(run, part, task, metric) for run in runs]
                for name, runs in evaluations.items()
            }
            rows.append([label, *_cells(metric, list(values.values()))])
        tables.append(rows)
    return tables


def _heading(name: str, runs: Sequence[Evaluation]) -> str:
    return f"{name} ({len(runs)} seed{'s' if len(runs) > 1 else ''})"


def _lines(
    task: str, everyone: Sequence[Evaluation]
) -> list[tuple[str, str | None, str]]:
    """(label, slice or None, metric) of every row that anyone can fill."""
    metrics = dict.fromkeys(
        m for e in everyone for m in e.metrics.get(task, ())
    )
    binary, real = ("auc", "gauc", "uauc", "log_loss"), ("rmse", "mae")
    shown = [name for name in (*binary, *real) if name in metrics]
    shown += [name for name in metrics if name.startswith("ndcg@")]
    lines: list[tuple[str, str | None, str]] = [(m, None, m) for m in shown]
    if any("cold_ads" in run.slices for run in everyone):
        cold = [name for name in ("auc", "gauc", "rmse") if name in metrics]
        lines += [(f"cold_ads {m}", "cold_ads", m) for m in cold]
    return lines


def _value(run: Evaluation, part: str | None, task: str, name: str) -> float:
    tasks = run.metrics if part is None else run.slices.get(part, {})
    return tasks.get(task, {}).get(name, float("nan"))


def _cells(metric: str, columns: Sequence[Sequence[float]]) -> list[str]:
    # Rounded as shown, so that what looks equal shares the star.
    means = [round(statistics.fmean(values), 4) for values in columns]
    defined = [mean for mean in means if mean == mean]
    pick = min if metric in ("log_loss", "rmse", "mae") else max
    best = pick(defined) if defined else None
    cells = []
    for mean, values in zip(means, columns, strict=True):
        cell = f"{mean:.4f}"
        if len(values) > 1 and mean == mean:
            cell += f" ± {statistics.stdev(values):.4f}"
        starred = len(columns) > 1 and mean == best
        cells.append(cell + (" *" if starred else "  "))
    return cells
