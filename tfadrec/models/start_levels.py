"""Logits begin at the rates of the training rows."""

from collections.abc import Mapping

import numpy as np

from tfadrec.models.ad_ranker import CONVERTED_IF_CLICKED, AdRanker

_LEAST = 1e-6


def start_levels(
    ranker: AdRanker,
    labels: Mapping[str, np.ndarray],
    weights: np.ndarray | None,
) -> None:
    """Has every head begin at the best constant of its label.

    That is the log-odds of a rate, or the mean of a real label. Where a head
    began at 0 and one row in fifty is clicked, the first steps would go into
    that one number, by way of all weights that could move it.

    Args:
      ranker: built and not yet trained. A head of several outputs stays as it
        is, and one whose loss fixes no level.
      labels: task -> [n], of training rows.
      weights: [n] >= 0, how many rows each stands for; None for one.
    """
    for task, (name, head) in zip(
        ranker.tasks, ranker.heads.items(), strict=True
    ):
        loss = ranker.task_losses[task]
        values, counts = labels[task], weights
        if name == CONVERTED_IF_CLICKED:
            clicked = labels["clicked"] > 0
            values = values[clicked]
            counts = None if weights is None else weights[clicked]
        rows = len(values) if counts is None else np.sum(counts)
        if loss.num_outputs > 1 or not (loss.is_calibrated and rows):
            continue
        level = np.average(values.astype(np.float64), weights=counts)
        if loss.is_binary:
            level = np.clip(level, _LEAST, 1 - _LEAST)
            level = np.log(level) - np.log1p(-level)
        head.start_at(level)
