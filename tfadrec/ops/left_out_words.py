"""Words that are taken out of a text, in the graph."""

from collections.abc import Collection

import numpy as np
import tensorflow as tf

from tfadrec.ops import code_points
from tfadrec.ops.code_point_table import CodePointTable

# Of a character that stands in no word.
_NO_WORD = -1


class LeftOutWords(tf.Module):
    """Texts without some words: string [n] to string [n].

    A word is as long a run of its characters as there is. What stands between
    words is kept.

    Args:
      words: in lower case.
      lower: int [LIMIT], the code point that each character of a word becomes
        in lower case, and -1 for a character that is of no word.
    """

    def __init__(self, words: Collection[str], lower: np.ndarray) -> None:
        super().__init__()
        self._lower = CodePointTable(lower, _NO_WORD)
        self._words = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(sorted(words)), tf.ones([len(words)], tf.int64)
            ),
            0,
        )

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """See the class; bytes that are no UTF-8 are read as U+FFFD."""
        points, rows = code_points.decode(texts)
        lower = self._lower(points)
        is_word = lower != _NO_WORD
        is_first = (rows != code_points.shifted(rows, 1, -1)) | (
            is_word != code_points.shifted(is_word, 1, False)
        )
        runs = tf.cumsum(tf.cast(is_first, tf.int32)) - 1
        words = code_points.encode(
            tf.where(is_word, lower, points),
            runs,
            tf.reduce_sum(tf.cast(is_first, tf.int32)),
        )
        is_out = is_word & (tf.gather(self._words.lookup(words), runs) == 1)
        return code_points.encode(
            tf.boolean_mask(points, ~is_out),
            tf.boolean_mask(rows, ~is_out),
            tf.shape(texts)[0],
        )
