"""Samples of users, or of requests, drawn from those that there are."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.data.impressions import Impressions
from tfadrec.evaluation.comparison.compared_rows import Floats
from tfadrec.evaluation.comparison.statistics import Statistic

Unit = Literal["user", "request"]
#: Weights that are worked on at a time: 32 MB, of any number of rows.
_BLOCK = 1 << 22


def units_of(rows: Impressions, by: Unit = "user") -> tuple[NDArray, int]:
    """What the rows are resampled by.

    The requests of a user that the dataset does not know (row 0) are units of
    their own, since they may be of many people.

    Args:
      rows: the impressions.
      by: `user` or `request`.

    Returns:
      Integers [n] in [0, U), and U.

    Raises:
      InputError: for another unit.
    """
    if by not in ("user", "request"):
        raise InputError(
            f"rows are resampled by user or request. Received: by={by!r}."
        )
    keys = rows.people if by == "user" else rows.requests
    found, units = np.unique(keys, return_inverse=True)
    return units, len(found)


def resample(
    statistics: Mapping[tuple, Statistic],
    num_units: int,
    num_rows: int,
    replicates: int,
    seed: int,
) -> dict[tuple, Floats]:
    """Each statistic of the same samples of units.

    A Poisson bootstrap: each unit is drawn Poisson(1) times in each sample,
    which for many units is drawing as many as there are with replacement.

    Args:
      statistics: by any key.
      num_units: U.
      num_rows: of the largest statistic, which tells how many samples are
        worked on at a time.
      replicates: how many samples.
      seed: of the samples.

    Returns:
      Key -> float64 [replicates].

    Reference:
      Chamandy et al., "Estimating Uncertainty for Massive Data Streams",
      Google, 2012, section 3.
    """
    generator = np.random.default_rng(seed)
    at_once = max(1, min(replicates, _BLOCK // max(num_rows, num_units, 1)))
    found: dict[tuple, list[Floats]] = {key: [] for key in statistics}
    for begin in range(0, replicates, at_once):
        size = min(at_once, replicates - begin)
        drawn = generator.poisson(1.0, [size, num_units])
        weights = np.ascontiguousarray(drawn.T, np.float64)
        for key, statistic in statistics.items():
            found[key].append(statistic(weights))
    return {key: np.concatenate(values) for key, values in found.items()}
