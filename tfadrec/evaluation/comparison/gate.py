"""The rule of a pipeline: a new model must not be worse."""

from collections.abc import Sequence

from tfadrec.core.errors import InputError
from tfadrec.evaluation.comparison.difference import Difference
from tfadrec.evaluation.comparison.gate_result import GateResult


def gate(
    differences: Sequence[Difference],
    margin: float,
    *,
    metric: str = "auc",
    parts: Sequence[str] = ("all",),
    task: str | None = None,
) -> list[GateResult]:
    """Holds every model to a largest loss against the reference.

    A test of non-inferiority: a gate holds where the 95 % interval of the
    difference lies above the allowed loss. Where it lies below, the model has
    lost; where it reaches over, these rows do not tell. All gates together
    need no correction, as each of them has to hold.

    Args:
      differences: of the function of that name.
      margin: how much may be lost, >= 0, in the metric's own unit.
      metric: its name.
      parts: `all`, and names of slices.
      task: the label; the first one by default.

    Returns:
      A result per model and part.

    Raises:
      InputError: where the margin is below 0, or nothing was compared so.
    """
    if not 0 <= margin < float("inf"):
        raise InputError(
            "what a model may lose is a number >= 0. Received: "
            f"{margin}. Name the largest loss that does no harm, as 0.001."
        )
    tasks = dict.fromkeys(d.task for d in differences)
    task = next(iter(tasks), "") if task is None else task
    results = []
    for part in parts:
        found = [
            GateResult(difference, margin)
            for difference in differences
            if (difference.task, difference.metric, difference.part)
            == (task, metric, part)
        ]
        if not found:
            known = dict.fromkeys(d.part for d in differences)
            measured = dict.fromkeys(d.metric for d in differences)
            raise InputError(
                "a gate needs a comparison of its metric and part. Received: "
                f"{metric} in {part!r}; compared were {', '.join(measured)} "
                f"in {', '.join(known)}."
            )
        results += found
    return results
