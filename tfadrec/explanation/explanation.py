"""What an explanation holds."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: Below this difference of logits an error is told as a share of it.
LEAST = 0.1


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What the logits of some requests are made of.

    Args:
      task: what is explained.
      logits: float64 [B], the scores of the requests.
      unknown: float64 [B], those of the same requests of which nothing is
        known.
      fields: feature -> float64 [B], its part of the difference.
      events: float64 [B, T], the part of each event.
      real: bool [B, T], which places hold an event.
      history_rows: int32 [B, T], the catalogue's rows of the events.
      attention: layer -> float32 [B, T], how much each event counted there.
      steps: int [B], points of the path that were needed.
    """

    task: str
    logits: NDArray
    unknown: NDArray
    fields: Mapping[str, NDArray]
    events: NDArray
    real: NDArray
    history_rows: NDArray
    attention: Mapping[str, NDArray]
    steps: NDArray

    @property
    def errors(self) -> NDArray:
        """The completeness error of each request, float64 [B].

        By how much the parts miss the difference, as a share of it; as a share
        of 0.1 where the difference is smaller.
        """
        difference = self.logits - self.unknown
        missed = np.abs(sum(self.fields.values()) - difference)
        return missed / np.maximum(np.abs(difference), LEAST)

    def mean_sizes(self) -> dict[str, float]:
        """Feature -> the mean size of its part, the largest first."""
        sizes = {n: float(np.abs(v).mean()) for n, v in self.fields.items()}
        return dict(sorted(sizes.items(), key=lambda item: -item[1]))

    def largest(self, request: int) -> dict[str, float]:
        """Feature -> its part in one request, the largest first.

        Args:
          request: its place.
        """
        parts = {n: float(v[request]) for n, v in self.fields.items()}
        return dict(sorted(parts.items(), key=lambda item: -abs(item[1])))
