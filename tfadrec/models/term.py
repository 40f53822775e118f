"""A term of a regression."""

from typing import NamedTuple

import numpy as np


class Term(NamedTuple):
    """What the slopes of keys, such as ads, lean on.

    Attributes:
      keys: int [n]; 0 is for keys that are not known, and has no slopes.
      size: how many keys there are.
      values: float32 [n, K]. Ones alone make the slope a level.
    """

    keys: np.ndarray
    size: int
    values: np.ndarray
