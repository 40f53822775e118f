"""A ranker explained in sum, over rows that it has not learned from."""

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.explanation.deletion import deletion_check
from tfadrec.explanation.explain import explain
from tfadrec.explanation.permutation import importances
from tfadrec.explanation.question import Question
from tfadrec.explanation.summary import Summary
from tfadrec.training import Run

#: Rows by default: for parts, which take a path each, and for importance.
ROWS, IMPORTANCE_ROWS = 200, 2000


def explain_run(
    run: Run,
    *,
    rows: int = ROWS,
    importance_rows: int = IMPORTANCE_ROWS,
    task: str | None = None,
    seed: int = 0,
) -> Summary:
    """What a run's ranker reads its scores from, on validation rows.

    Args:
      run: of `training.load_run`; without validation rows, its test rows are
        read.
      rows: how many of them are explained one by one, >= 1.
      importance_rows: of how many features are dealt to other rows, >= 1.
      task: what to explain; the ranker's first by default.
      seed: of the choice of rows, of the deals and of the intervals.

    Raises:
      InputError: where there are no rows, or no such task.
    """
    found = run.valid if len(run.valid) else run.test
    if not len(found) or rows < 1 or importance_rows < 1:
        raise InputError(
            "an explanation needs rows. Received: "
            f"{len(found)} validation rows, of which {rows} are asked for. "
            "Split the dataset, or name a user and an ad."
        )
    some = _sample(found, rows, seed)
    inputs, *_ = next(iter(some.batches(len(some))))
    asked = Question.of_inputs(run.ranker, inputs)
    parts = explain(run.ranker, asked, run.dataset.schema, task=task)
    deletion = deletion_check(
        run.ranker, asked, parts, some.impressions, seed=seed
    )
    more = _sample(found, importance_rows, seed)
    return Summary(
        task=parts.task,
        rows=len(some),
        parts=parts.mean_sizes(),
        error=float(parts.errors.mean()),
        worst_error=float(parts.errors.max()),
        importances=importances(run.ranker, more, task=parts.task, seed=seed),
        importance_rows=len(more),
        deletion=deletion,
    )


def _sample(rows: Dataset, size: int, seed: int) -> Dataset:
    """Some rows, in an order of their own."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows.select(order[:size])
