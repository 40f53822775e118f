"""A point of the reliability plot."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ReliabilityBin:
    """One tenth of the impressions, by weight, cut by predicted probability.

    Args:
      predicted: the bin's mean predicted probability.
      observed: the bin's observed rate of the label.
      count: the bin's impressions, by their weights.
    """

    predicted: float
    observed: float
    count: int
