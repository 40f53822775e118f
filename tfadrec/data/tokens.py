"""The ad copy as token ids, one ad after another."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The token ids of N ads, without padding between them.

    Args:
      ids: int32 [M], the first ad's token ids, then the second's, and so on.
      starts: int32 [N + 1]; those of ad i are `ids[starts[i] : starts[i + 1]]`.
    """

    ids: np.ndarray
    starts: np.ndarray

    @classmethod
    def from_lists(cls, ids: Sequence[Sequence[int]]) -> "Tokens":
        """Puts the token ids of each ad one after another."""
        lengths = [len(row) for row in ids]
        return cls(
            ids=np.array([i for row in ids for i in row], np.int32),
            starts=np.cumsum([0, *lengths]).astype(np.int32),
        )

    @property
    def lengths(self) -> np.ndarray:
        """int32 [N], the number of tokens of each ad."""
        return np.diff(self.starts)
