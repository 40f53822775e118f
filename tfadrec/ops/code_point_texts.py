"""A text for each code point."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfadrec.ops import code_points
from tfadrec.ops.code_point_table import CodePointTable

_ITSELF = -1


class CodePointTexts:
    """The text that each code point becomes; most become themselves.

    Args:
      texts: code point -> text, of those that do not become themselves.
    """

    def __init__(self, texts: Mapping[int, str]) -> None:
        places = np.full([code_points.LIMIT], _ITSELF)
        known: dict[str, int] = {}
        for point, text in texts.items():
            places[point] = known.setdefault(text, len(known))
        self._places = CodePointTable(places, _ITSELF)
        lengths = np.array([len(text) for text in known], np.int32)
        # One more, so that the gathers below find something.
        self._lengths = tf.constant(np.append(lengths, 0), tf.int32)
        self._starts = tf.constant(np.append(0, np.cumsum(lengths)), tf.int32)
        self._become = tf.constant([*map(ord, "".join(known)), 0], tf.int32)

    def __call__(self, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What code points become, one text after the other.

        Args:
          points: int32 [P]; what is not below `code_points.LIMIT` is kept.

        Returns:
          Code points, int32 [P'], and the place that each comes from, int32
          [P'].
        """
        places = self._places(points)
        is_itself = places == _ITSELF
        counts = tf.where(
            is_itself, 1, tf.gather(self._lengths, tf.maximum(places, 0))
        )
        source = tf.repeat(tf.range(tf.shape(points)[0]), counts)
        first = tf.gather(tf.cumsum(counts, exclusive=True), source)
        start = tf.gather(self._starts, tf.maximum(places, 0))
        within = tf.range(tf.shape(source)[0]) - first
        is_itself = tf.gather(is_itself, source)
        become = tf.gather(
            self._become,
            tf.where(is_itself, 0, tf.gather(start, source) + within),
        )
        return tf.where(is_itself, tf.gather(points, source), become), source
