"""Rows that a ranker has not seen, and what it says of them."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.training import Run

_MOST = 8192


@dataclasses.dataclass(frozen=True)
class Scored:
    """Rows and the logits of their binary tasks, before and after calibration.

    Args:
      ranker: what has scored them.
      rows: impressions that it has not learned from, one at least.
      logits: task -> [n].
      calibrated: task -> [n]; the same as `logits` without a calibration.
      run: whose ranker it is.
    """

    ranker: Ranker
    rows: Dataset
    logits: Mapping[str, NDArray]
    calibrated: Mapping[str, NDArray]
    run: Run

    @classmethod
    def of_run(cls, run: Run) -> "Scored":
        """Of up to 8,192 rows of test, or else of validation."""
        rows = run.test if len(run.test) else run.valid
        places = np.linspace(0, len(rows) - 1, min(len(rows), _MOST))
        rows = rows.select(places.astype(np.int64))
        found = run.ranker.predict(rows.batches(4096))
        mended = found
        if run.calibration is not None:
            mended = run.calibration.of_rows(found, rows)
        losses = run.ranker.task_losses
        binary = [t for t in found if t not in losses or losses[t].is_binary]
        return cls(
            run.ranker,
            rows,
            {task: found[task] for task in binary},
            {task: mended[task] for task in binary},
            run,
        )

    @property
    def members(self) -> list[AdRanker]:
        """The rankers whose average the scores are."""
        return list(getattr(self.ranker, "rankers", [self.ranker]))
