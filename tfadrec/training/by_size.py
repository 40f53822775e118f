"""Settings that the size of the data tells, where they are left out."""

import math
from collections.abc import Mapping
from typing import Any

from tfadrec.core.config import RunConfig
from tfadrec.data.dataset import Dataset
from tfadrec.models.dataset_sizes import DEFAULT_FACTORS, folds_in

#: Steps of a pass that small logs are given, and the bounds of a batch.
_STEPS = 70
_LEAST, _MOST = 64, 512


def chosen_by_size(fit: Mapping[str, Any], train: Dataset) -> dict[str, Any]:
    """The section `fit` of a run's settings, with a `batch_size`.

    Args:
      fit: the section as it was given.
      train: the rows to learn from.
    """
    chosen = dict(fit)
    if chosen.get("batch_size") is None:
        chosen["batch_size"] = batch_size_of(train, chosen.get("by", "row"))
    return chosen


def fold_in_chosen(
    config: RunConfig, train: Dataset
) -> Mapping[str, Any] | None:
    """The section `fold_in` of a run's settings, as it is or as the rows tell.

    Args:
      config: the settings; an empty section is for the rows to tell.
      train: the rows to learn from.

    Returns:
      Arguments of `FoldIn`, or None where opinions are not folded in.
    """
    if config.fold_in is None or config.fold_in:
        return config.fold_in
    suits = folds_in(train, config.ad_tower, config.ranker)
    return {"rank": DEFAULT_FACTORS} if suits else None


def batch_size_of(train: Dataset, by: str) -> int:
    """The batch size that rows call for, in rows or in requests.

    A batch of requests holds about as many rows as one of rows would, so a pass
    has about as many steps either way.

    Args:
      train: the rows to learn from.
      by: `row` or `request`.

    Returns:
      A power of two: as `batch_size_for` tells for the rows, or of requests the
      one nearest to that over the mean number of rows of a request, at least 1.
    """
    rows = batch_size_for(len(train))
    if by == "row":
        return rows
    of_request = len(train) / max(1, count_examples(train, by))
    return 2 ** _octaves(max(1.0, rows / max(1.0, of_request)))


def count_examples(train: Dataset, by: str) -> int:
    """How many rows, or requests, a pass has."""
    return len(train) if by == "row" else len(train.slates().sizes)


def batch_size_for(examples: int) -> int:
    """The batch size that a number of rows, or of pairs, calls for.

    A log of few rows gives few steps, in which little is learned: so its
    batches are smaller. It is the power of two nearest to a 70th of the
    examples, at least 64 and at most 512.

    Args:
      examples: of a pass, >= 1.

    Example:
      >>> [batch_size_for(n) for n in (12, 8_000, 15_000, 80_000)]
      [64, 128, 256, 512]
    """
    exponent = _octaves(max(examples / _STEPS, 1))
    return min(max(2**exponent, _LEAST), _MOST)


def _octaves(size: float) -> int:
    """The whole power of two that is nearest, in octaves."""
    return round(math.log2(size))
