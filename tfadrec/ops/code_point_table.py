"""What is told of each code point."""

import numpy as np
import tensorflow as tf

from tfadrec.ops import code_points

_BLOCK = 256


class CodePointTable:
    """A number for each code point, kept in two stages.

    Most blocks of 256 code points are alike and are kept once.

    Args:
      values: int [LIMIT].
      beyond: for what is not below `code_points.LIMIT`.
    """

    def __init__(self, values: np.ndarray, beyond: int) -> None:
        blocks = [
            *np.reshape(values, [-1, _BLOCK]).astype(np.int32),
            np.full([_BLOCK], beyond, np.int32),
        ]
        known: dict[bytes, int] = {}
        places = [known.setdefault(b.tobytes(), len(known)) for b in blocks]
        kept = np.frombuffer(b"".join(known), np.int32)
        self._blocks = tf.constant(kept, tf.int32)
        self._places = tf.constant(places, tf.int32)

    def __call__(self, points: tf.Tensor) -> tf.Tensor:
        """The numbers of code points, int32 [...] for int32 [...]."""
        block = tf.minimum(points, code_points.LIMIT) // _BLOCK
        start = tf.gather(self._places, block) * _BLOCK
        return tf.gather(self._blocks, start + points % _BLOCK)
