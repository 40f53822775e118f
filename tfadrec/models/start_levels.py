"""The level that a ranker's heads begin with."""

from collections.abc import Mapping

import numpy as np

from tfadrec.models.ad_ranker import AdRanker


def start_levels(
    ranker: AdRanker,
    labels: Mapping[str, np.ndarray],
    weights: np.ndarray | None = None,
) -> None:
    """Has the heads of a ranker begin with the log-odds of training rows.

    Heads that begin at a probability of one half have to unlearn it where one
    ad in ten is clicked. Until they have, every weight that can lower all
    logits is pulled, and the order of the ads suffers: on a small log, for as
    long as the training lasts. So the bias of each head of a binary task is set
    to log(p / (1 - p)), p being the share of rows with the label, half a row
    added to either side. That of `converted` beside `clicked` is of conversions
    among clicks.

    Args:
      ranker: built and not yet trained. Heads of real labels, of several
        outputs, and of losses that fix no level are left alone.
      labels: task -> labels of training rows, [n].
      weights: of the rows, [n]; None for equal ones.
    """
    counts = {
        task: np.average(labels[task], weights=weights) * len(labels[task])
        for task in ranker.tasks
    }
    for task in ranker.tasks:
        loss = ranker.task_losses[task]
        if not (loss.is_binary and loss.is_calibrated and loss.num_outputs < 2):
            continue
        rows = float(len(labels[task]))
        if task == "converted" and "clicked" in ranker.tasks:
            rows = counts["clicked"]
        count = counts[task]
        level = np.log((count + 0.5) / (max(rows - count, 0.0) + 0.5))
        ranker.start_at(task, float(level))
