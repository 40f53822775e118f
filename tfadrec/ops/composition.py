"""Unicode's normal forms NFKC and NFC in the graph."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfadrec.ops import code_points
from tfadrec.ops.code_point_table import CodePointTable
from tfadrec.ops.code_point_texts import CodePointTexts

_POINT_BITS = 21
_NONE = -1
# A class above all others: nothing is composed across it.
_WALL = 256


class Composition(tf.Module):
    """Texts to their composed normal form: string [n] to string [n].

    1. Each character is replaced by its decomposition.
    2. Marks are sorted by their class, those of one class as they stand.
    3. A starter (a character of class 0) takes up what follows it, one after
       the other, where the pair has a composite and no mark of the same or a
       higher class stands between.

    Step 3 walks all stretches in which anything could be taken up at once, so
    a text without marks takes no step at all.

    Args:
      decompositions: code point -> text, of characters that are decomposed.
      classes: int [LIMIT], the canonical combining class of each code point.
      composites: pair of code points -> their composite.

    Reference:
      Unicode Standard Annex 15; The Unicode Standard, section 3.11, D108 to
      D117.
    """

    def __init__(
        self,
        decompositions: Mapping[int, str],
        classes: np.ndarray,
        composites: Mapping[tuple[int, int], int],
    ) -> None:
        super().__init__()
        self._decompose = CodePointTexts(decompositions)
        self._classes = CodePointTable(classes, 0)
        self._composites = code_points.hash_table(
            {
                (first << _POINT_BITS) + second: composite
                for (first, second), composite in composites.items()
            },
            _NONE,
        )
        follows = classes > 0
        follows[[second for _, second in composites]] = True
        self._follows = CodePointTable(follows, 0)

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """See the class; bytes that are no UTF-8 are read as U+FFFD."""
        points, rows = code_points.decode(texts)
        points, source = self._decompose(points)
        rows = tf.gather(rows, source)
        is_first = rows != code_points.shifted(rows, 1, -1)
        classes = self._classes(points)
        run = tf.cumsum(tf.cast((classes == 0) | is_first, tf.int32))
        # The sort is stable, and keeps the rows apart.
        order = tf.argsort(
            tf.cast(run, tf.int64) * _WALL + tf.cast(classes, tf.int64),
            stable=True,
        )
        points, classes = tf.gather(points, order), tf.gather(classes, order)
        is_start = is_first | (self._follows(points) == 0)
        points, is_kept = self._compose(points, classes, is_start)
        return code_points.encode(
            tf.boolean_mask(points, is_kept),
            tf.boolean_mask(rows, is_kept),
            tf.shape(texts)[0],
        )

    def _compose(self, points, classes, is_start):
        """Code points after composition, and which of them are left."""
        here = tf.cast(tf.where(is_start)[:, 0], tf.int32)
        ends = tf.concat([here, [tf.size(points)]], 0)[1:]
        last = tf.gather(classes, here)
        # What begins with a mark has no starter yet.
        last = tf.where(last == 0, 0, _WALL)
        is_kept = tf.fill(tf.shape(points), True)

        def step(here, ends, starters, last, points, is_kept):
            is_there = here < ends
            here, ends, starters, last = (
                tf.boolean_mask(values, is_there)
                for values in (here, ends, starters, last)
            )
            own = tf.gather(classes, here)
            first, second = (
                tf.cast(tf.gather(points, places), tf.int64)
                for places in (starters, here)
            )
            composite = self._composites.lookup(first * 2**_POINT_BITS + second)
            is_taken = (composite >= 0) & ((last == 0) | (last < own))
            points = tf.tensor_scatter_nd_update(
                points,
                tf.boolean_mask(starters, is_taken)[:, None],
                tf.cast(tf.boolean_mask(composite, is_taken), tf.int32),
            )
            is_kept = tf.tensor_scatter_nd_update(
                is_kept, here[:, None], ~is_taken
            )
            starters = tf.where(~is_taken & (own == 0), here, starters)
            last = tf.where(is_taken, last, own)
            return here + 1, ends, starters, last, points, is_kept

        one = tf.TensorShape([None])
        *_, points, is_kept = tf.while_loop(
            lambda here, ends, *_: tf.reduce_any(here < ends),
            step,
            (here + 1, ends, here, last, points, is_kept),
            (one,) * 6,
        )
        return points, is_kept
