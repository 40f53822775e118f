"""Settings that the size of the data tells, where they are left out."""

import math
from collections.abc import Mapping
from typing import Any

from tfadrec.data.dataset import Dataset

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
