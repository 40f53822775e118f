"""Logits begin at the rates of the training rows."""

from collections.abc import Mapping

import numpy as np

from tfadrec.core.blocks import blocks
from tfadrec.models.ad_ranker import CONVERTED_IF_CLICKED, AdRanker


def start_levels(
    ranker: AdRanker,
    labels: Mapping[str, np.ndarray],
    weights: np.ndarray | None,
) -> None:
    """Has every head begin at the best constant of its label.

    That is the log-odds of a rate, or the mean of a real label. Where a head
    began at 0 and one row in fifty is clicked, the first steps would go into
    that one number, by way of all weights that could move it. Where a loss is
    bounded, the labels tell what its head gives at most, too.

    Args:
      ranker: built and not yet trained. A head whose loss has no `start` stays
        as it is.
      labels: task -> [n], of training rows.
      weights: [n] >= 0, how many rows each stands for; None for one.
    """
    for task, (name, head) in zip(
        ranker.tasks, ranker.heads.items(), strict=True
    ):
        loss = ranker.task_losses[task]
        clicked = None
        if name == CONVERTED_IF_CLICKED:
            clicked = labels["clicked"]
        values, counts = _counted(labels[task], weights, clicked)
        if not np.any(counts):
            continue
        outputs = loss.start(values, counts)
        if outputs is not None:
            head.start_at(outputs)
        if loss.is_bounded:
            head.keep_between(*loss.bounds(values, counts))


def _counted(
    labels: np.ndarray,
    weights: np.ndarray | None,
    clicked: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and how many rows have them; each label once in many rows.

    Args:
      labels: [n].
      weights: [n], how many rows each stands for; None for one.
      clicked: [n], rows where it is 0 do not count; None where all do.

    Returns:
      float64 [m], m <= n, twice.
    """
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for part in blocks(len(labels)):
        values = labels[part].astype(np.float64)
        counts = np.ones(len(values)) if weights is None else weights[part]
        if clicked is not None:
            values, counts = (a[clicked[part] > 0] for a in (values, counts))
        found.append((values, counts))
        if len(found) > 1:
            values, counts = map(np.concatenate, zip(*found, strict=True))
            values, places = np.unique(values, return_inverse=True)
            found = [(values, np.bincount(places, counts, len(values)))]
    return found[0] if found else (np.zeros(0), np.zeros(0))
