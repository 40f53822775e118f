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
        examples = count_examples(train, chosen.get("by", "row"))
        chosen["batch_size"] = batch_size_for(examples)
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


def count_examples(train: Dataset, by: str) -> int:
    """How many rows, or requests, a pass has."""
    return len(train) if by == "row" else len(train.slates().sizes)


def batch_size_for(examples: int) -> int:
    """The batch size that a number of rows, or of requests, calls for.

    A log of few rows gives few steps, in which little is learned: so its
    batches are smaller. It is the power of two nearest to a 70th of the
    examples, at least 64 and at most 512.

    Args:
      examples: of a pass, >= 1.

    Example:
      >>> [batch_size_for(n) for n in (12, 8_000, 15_000, 80_000)]
      [64, 128, 256, 512]
    """
    exponent = round(math.log2(max(examples / _STEPS, 1)))
    return min(max(2**exponent, _LEAST), _MOST)
