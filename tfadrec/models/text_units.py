"""The texts of ads as they are matched, block by block."""

from collections.abc import Iterator

import numpy as np

from tfadrec.towers import AdTower

_AT_ONCE = 4096
#: Ads whose texts tell the directions.
_SAMPLED = 2**14


def text_units(tower: AdTower, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Centred text vectors of length one, zeros where there is no text.

    They are worked out op by op: to trace a graph for a handful of blocks takes
    seconds, and every ranker would have its own.

    Args:
      tower: built, with a `text_space`.
      rows: int [n], of the catalogue.

    Yields:
      float32 [some, W], of up to 4,096 rows at a time.
    """
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE].astype(np.int32)
        found = tower.encode({"ads": (some, ["text_unit"])})["ads"]
        yield found["text_unit"].numpy()


def text_axes(tower: AdTower, width: int) -> np.ndarray:
    """The directions in which texts of ads differ most.

    Args:
      tower: built, with a `text_space`.
      width: how many, at most as many as a vector has numbers.

    Returns:
      float32 [W, width], of length one; the first ones tell most.
    """
    some = np.linspace(0, tower.num_rows - 1, min(tower.num_rows, _SAMPLED))
    units = np.concatenate(list(text_units(tower, some.astype(np.int32))))
    _, axes = np.linalg.eigh(units.T @ units)
    found = np.zeros([len(axes), width], np.float32)
    axes = axes[:, ::-1][:, :width]  # the largest first
    found[:, : axes.shape[1]] = axes
    return found
