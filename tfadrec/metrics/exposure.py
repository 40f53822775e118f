"""How widely what is shown spreads over the catalogue, in NumPy."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.core.errors import InputError


def coverage(exposures: ArrayLike) -> float:
    """The share of ads that are shown at all.

    Args:
      exposures: [ads], how often each ad of the catalogue is shown, >= 0.

    Returns:
      A value in [0, 1].

    Raises:
      InputError: where there is no ad, or a number is not finite and >= 0.
    """
    return float(np.mean(_counts(exposures) > 0))


def gini(exposures: ArrayLike) -> float:
    """How unequally ads are shown: 0 is equally, near 1 is a single ad.

    G = sum_i (2 i - n - 1) x_i / (n sum_i x_i), x in rising order, i from 1:
    half the mean difference of two ads over the mean.

    Args:
      exposures: [ads], how often each ad of the catalogue is shown, >= 0.

    Returns:
      A value in [0, 1 - 1 / ads]; nan where nothing is shown.

    Raises:
      InputError: where there is no ad, or a number is not finite and >= 0.
    """
    counts = np.sort(_counts(exposures))
    n, total = len(counts), counts.sum()
    if not total:
        return float("nan")
    places = 2 * np.arange(1, n + 1) - n - 1
    return float((places * counts).sum() / (n * total))


def diversity(exposures: ArrayLike) -> float:
    """The chance that two exposures are of different ads.

    D = 1 - sum_i p_i^2, p_i being an ad's share of what is shown.

    Args:
      exposures: [ads], how often each ad of the catalogue is shown, >= 0.

    Returns:
      A value in [0, 1 - 1 / ads]; nan where nothing is shown.

    Raises:
      InputError: where there is no ad, or a number is not finite and >= 0.

    Reference:
      Simpson, "Measurement of Diversity", Nature 163, 1949.
    """
    counts = _counts(exposures)
    total = counts.sum()
    if not total:
        return float("nan")
    return float(1 - np.square(counts / total).sum())


def _counts(exposures: ArrayLike) -> NDArray:
    counts = np.asarray(exposures, np.float64)
    if counts.ndim != 1 or not len(counts):
        raise InputError(
            "exposures must be one number per ad. Received: shape "
            f"{counts.shape}. Count how often each ad is shown."
        )
    wrong = ~((counts >= 0) & np.isfinite(counts))
    if wrong.any():
        raise InputError(
            "exposures must be finite and >= 0. Received: "
            f"{counts[wrong][0]} in {wrong.sum()} of {len(counts)} ads."
        )
    return counts
