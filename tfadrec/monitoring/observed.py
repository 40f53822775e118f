"""The values of one input in many requests."""

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Observed:
    """Values one after another, each with the request that it is of.

    Args:
      rows: int64 [k], the request of each value, from 0.
      values: [k], numbers, or codes of categories; what stands where a value is
        missing or unknown is not read.
      missing: bool [k], where a request says that nothing is known.
      unknown: bool [k], where it says what the bundle does not know.
    """

    rows: NDArray[np.int64]
    values: NDArray
    missing: NDArray[np.bool_]
    unknown: NDArray[np.bool_]

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Where a model has nothing to read, bool [k]."""
        return self.missing | self.unknown

    @property
    def given(self) -> NDArray:
        """What it can read."""
        return self.values[~self.blank]

    @property
    def given_rows(self) -> NDArray[np.int64]:
        """The requests that `given` are of."""
        return self.rows[~self.blank]
