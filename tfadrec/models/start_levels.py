"""Logits begin at the rates of the training rows."""

from collections.abc import Mapping

import numpy as np

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
        values = labels[task].astype(np.float64)
        counts = np.ones(len(values)) if weights is None else weights
        if name == CONVERTED_IF_CLICKED:
            clicked = labels["clicked"] > 0
            values, counts = values[clicked], counts[clicked]
        if not np.any(counts):
            continue
        outputs = loss.start(values, counts)
        if outputs is not None:
            head.start_at(outputs)
        if loss.is_bounded:
            head.keep_between(*loss.bounds(values, counts))
