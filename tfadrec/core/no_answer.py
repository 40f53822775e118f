"""Whether a bundle could answer with what a ranker predicts."""

from collections.abc import Mapping
from typing import Any

from tfadrec.core.ranges import REAL_LOSSES

#: What an answer is made of.
TASK = "clicked"


def no_answer(ranker: Mapping[str, Any] | None) -> str:
    """Why no bundle can be made of a ranker, or "" where one can.

    Args:
      ranker: the settings of the section, which were checked.
    """
    ranker = ranker or {}
    tasks = ranker.get("tasks", (TASK,))
    losses = {
        task: _names((ranker.get("losses") or {}).get(task)) for task in tasks
    }
    if TASK in losses and not REAL_LOSSES & losses[TASK]:
        return ""
    return told({task: " and ".join(sorted(losses[task])) for task in tasks})


def told(losses: Mapping[str, str]) -> str:
    """The reason, for a ranker's tasks and the names of their losses."""
    received = ", ".join(f"{task} ({loss})" for task, loss in losses.items())
    return (
        "a bundle answers with click probabilities. Received: a ranker of "
        f"{received}. Train one with the task {TASK} and a loss of binary "
        "labels, beside the others or alone."
    )


def _names(loss: Any) -> set[str]:
    """The names in what the setting of a loss may be."""
    if isinstance(loss, Mapping):
        found = {loss["class"]} if "class" in loss else set(loss)
        return set(map(str, found))
    return {"binary" if loss is None else str(loss)}
