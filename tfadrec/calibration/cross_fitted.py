"""Calibrated logits of rows that the calibration has not learned from."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tfadrec.calibration.fit_calibration import MethodName, fit_calibration
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset

#: Of the users, which is held out at a time: a fifth.
_FOLDS = 5


@takes(dataset="dataset")
def cross_fitted(
    logits: Mapping[str, NDArray],
    dataset: Dataset,
    *,
    method: MethodName = "platt",
    field: str | None = None,
    seed: int = 0,
) -> dict[str, NDArray]:
    """Calibrates each fifth of the users by what the others tell.

    Requests of unknown users are users of their own. Where there is no other
    user to learn from, logits stay as they are.

    Args:
      logits: see `fit_calibration`.
      dataset: likewise.
      method: likewise.
      field: likewise.
      seed: of the fifths.

    Returns:
      Task -> float32 [n].

    Raises:
      InputError: see `fit_calibration`.
    """
    rows = dataset.impressions
    known, place = np.unique(rows.people, return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(known)) % _FOLDS
    found = {task: np.array(z, np.float32) for task, z in logits.items()}
    for fold in range(min(_FOLDS, len(known))):
        held = folds[place] == fold
        learned = fit_calibration(
            {task: z[~held] for task, z in logits.items()},
            dataset.select(np.flatnonzero(~held)),
            method=method,
            field=field,
        )
        mended = learned.of_rows(
            {task: z[held] for task, z in logits.items()},
            dataset.select(np.flatnonzero(held)),
        )
        for task, values in mended.items():
            found[task][held] = values
    return found
