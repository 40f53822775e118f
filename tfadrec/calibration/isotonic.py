"""Any rising curve."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfadrec.calibration.method import Floats, Method
from tfadrec.calibration.platt import LEAST_SLOPE

#: Rows of the rarer class that a bin has at least, and bins at most: a curve
#: through bins of fewer rows follows their noise.
_ROWS_OF_A_BIN = 25
_MOST_BINS = 100


class Isotonic(Method):
    """Isotonic regression as a rising piecewise linear curve of the logit.

    Rows are put into bins of equal weight by their logit, and neighbours whose
    rates fall are put together (pool adjacent violators). The curve goes
    through the blocks' mean logits and the logits of their rates, with straight
    lines between them, of which the outermost go on, but no steeper than 1:
    unlike steps, it keeps every order.

    Args:
      knots: [k] rising logits.
      values: [k] rising calibrated logits.

    Reference:
      Zadrozny and Elkan, "Transforming Classifier Scores into Accurate
      Multiclass Probability Estimates", KDD 2002, which has steps.
    """

    def __init__(self, knots: Sequence[float], values: Sequence[float]) -> None:
        self.knots = list(knots)
        self.values = list(values)

    @classmethod
    def fit(cls, logits: Floats, labels: Floats, weights: Floats) -> "Isotonic":
        """Bins, and pools them."""
        rarer = min((labels == 1).sum(), (labels != 1).sum())
        bins = int(np.clip(rarer // _ROWS_OF_A_BIN, 1, _MOST_BINS))
        order = np.argsort(logits, kind="stable")
        z, y, w = logits[order], labels[order], weights[order]
        middle = (np.cumsum(w) - w / 2) / w.sum()
        place = np.minimum((middle * bins).astype(np.int64), bins - 1)
        # Equal logits stay together, in the first of their bins.
        _, first, tie = np.unique(z, return_index=True, return_inverse=True)
        place = place[first][tie]
        mass = np.bincount(place, w, bins)
        sums = np.bincount(place, w * z, bins), np.bincount(place, w * y, bins)
        used = mass > 0
        mean = (w @ y) / w.sum()
        blocks = _pool(mass[used], sums[0][used], sums[1][used])
        # Half a row of the mean rate keeps every logit finite.
        return cls(
            [float(total / size) for size, total, _ in blocks],
            [
                float(_logit((clicks + mean / 2) / (size + 0.5)))
                for size, _, clicks in blocks
            ],
        )

    def __call__(self, logits: tf.Tensor) -> tf.Tensor:
        """Looks up the line of each logit."""
        knots, values = np.array(self.knots), np.array(self.values)
        between = np.diff(values) / np.diff(knots)
        ends = between[[0, -1]] if len(between) else np.zeros(2)
        before, behind = np.clip(ends, LEAST_SLOPE, 1.0)
        slopes = np.concatenate([[before], between, [behind]])
        # Line 0 ends in the first knot, every other one begins in a knot.
        start = np.concatenate([[knots[0]], knots])
        level = np.concatenate([[values[0]], values])
        flat = tf.reshape(logits, [-1])
        line = tf.searchsorted(
            tf.constant(knots, logits.dtype), flat, side="right"
        )
        start, level, slopes = (
            tf.gather(tf.constant(values, logits.dtype), line)
            for values in (start, level, slopes)
        )
        return tf.reshape(level + slopes * (flat - start), tf.shape(logits))


def _pool(mass: NDArray, logits: NDArray, clicks: NDArray) -> list[NDArray]:
    """[mass, sum of logits, clicks] of blocks whose rates rise."""
    blocks: list[NDArray] = []
    for block in np.stack([mass, logits, clicks], axis=1):
        while blocks and blocks[-1][2] * block[0] >= block[2] * blocks[-1][0]:
            block = block + blocks.pop()
        blocks.append(block)
    return blocks


def _logit(rate):
    return np.log(rate) - np.log1p(-rate)
