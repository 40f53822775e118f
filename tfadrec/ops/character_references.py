"""HTML's character references in the graph."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfadrec.ops import code_points
from tfadrec.ops.code_point_table import CodePointTable
from tfadrec.ops.trie import Trie

#: What a numeric reference stands for that is left out.
NOTHING = -1
_ASCII = 128
_NO_DIGIT = 16
_DIGITS = "0123456789abcdef"


class CharacterReferences(tf.Module):
    """Texts with character references read: string [n] to string [n].

    After `&` the longest name that is known counts. After `&#` stand decimal
    digits and after `&#x` hexadecimal ones, as many as there are; a `;` after
    them belongs to the reference. What is made of a reference is not read
    again.

    Args:
      names: what follows `&` -> one or two characters; no more than the name
        has.
      numbers: int [LIMIT], the code point that each number stands for, or
        `NOTHING`.
      beyond: the code point for a number that is not below `LIMIT`.

    Reference:
      HTML Standard, section 13.2.5.72 to 13.2.5.80.
    """

    def __init__(
        self, names: Mapping[str, str], numbers: np.ndarray, beyond: int
    ) -> None:
        super().__init__()
        self._names = Trie(
            [{f"&{name}": place for place, name in enumerate(names)}]
        )
        pairs = [(*map(ord, text), NOTHING)[:2] for text in names.values()]
        self._characters = tf.constant([*pairs, (0, 0)], tf.int32)
        self._numbers = CodePointTable(numbers, beyond)
        digits = np.full([_ASCII], _NO_DIGIT)
        for digit, char in enumerate(_DIGITS):
            digits[[ord(char), ord(char.upper())]] = digit
        self._digits = tf.constant(digits, tf.int32)

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """See the class; bytes that are no UTF-8 are read as U+FFFD."""
        points, rows = code_points.decode(texts)
        here = tf.cast(tf.where(points == ord("&"))[:, 0], tf.int32)
        sizes = tf.math.bincount(rows, dtype=tf.int32)
        ends = tf.gather(tf.cumsum(sizes), tf.gather(rows, here))
        named = self._read_names(points, here, ends)
        numeric = self._read_numbers(points, here, ends)
        for first, second, lengths in (named, numeric):
            points = _replaced(points, here, first, second, lengths)
        is_left = points != NOTHING
        return code_points.encode(
            tf.boolean_mask(points, is_left),
            tf.boolean_mask(rows, is_left),
            tf.shape(texts)[0],
        )

    def _read_names(self, points, here, ends):
        """Two characters and the length of the name at each place."""
        roots = tf.zeros(tf.shape(here), tf.int32)
        places, lengths = (
            tf.gather(values, here)
            for values in self._names(points, here, roots, ends)
        )
        last = tf.shape(self._characters)[0] - 1
        pairs = tf.gather(self._characters, tf.where(places < 0, last, places))
        return pairs[:, 0], pairs[:, 1], lengths

    def _read_numbers(self, points, here, ends):
        """The same of numbers, which stand for one character at most."""
        # What is asked for behind the end is nothing that is looked for.
        padded = tf.concat([points, tf.fill([3], NOTHING)], 0)

        def at(places):
            return tf.where(places < ends, tf.gather(padded, places), NOTHING)

        mark, letter = at(here + 1), at(here + 2)
        is_hex = (letter == ord("x")) | (letter == ord("X"))
        base = tf.where(is_hex, 16, 10)
        first = here + tf.where(is_hex, 3, 2)
        first = tf.where(mark == ord("#"), first, ends)
        values, after = self._values(padded, first, ends, base)
        has_end = at(tf.minimum(after, ends)) == ord(";")
        lengths = after - here + tf.cast(has_end, tf.int32)
        lengths = tf.where(after > first, lengths, 0)
        chars = self._numbers(values)
        return chars, tf.fill(tf.shape(chars), NOTHING), lengths

    def _values(self, points, first, ends, base):
        """The number that stands at each place, and where it ends."""

        def step(_, values, after):
            point = tf.clip_by_value(tf.gather(points, after), 0, _ASCII - 1)
            digits = tf.gather(self._digits, point)
            is_digit = (after < ends) & (digits < base)
            more = tf.minimum(values * base + digits, code_points.LIMIT)
            values = tf.where(is_digit, more, values)
            after += tf.cast(is_digit, tf.int32)
            return tf.reduce_any(is_digit), values, after

        # A first beyond the end has no digits.
        first = tf.minimum(first, ends)
        _, values, after = tf.while_loop(
            lambda goes_on, *_: goes_on,
            step,
            (tf.size(first) > 0, tf.zeros_like(first), first),
        )
        return values, after


def _replaced(points, here, first, second, lengths):
    """Code points where some begin what is replaced by two characters.

    Args:
      points: int32 [P].
      here: the places where they begin, int32 [H].
      first: what stands there afterwards, int32 [H].
      second: what stands behind it, int32 [H].
      lengths: of what is replaced, int32 [H], 0 for nothing, or >= 2.

    Returns:
      int32 [P], `NOTHING` where a character fell away.
    """
    is_read = lengths > 0
    here, first, second, lengths = (
        tf.boolean_mask(values, is_read)
        for values in (here, first, second, lengths)
    )
    size = tf.shape(points)[0]
    change = tf.scatter_nd(here[:, None], tf.ones_like(here), [size + 1])
    change = tf.tensor_scatter_nd_sub(
        change, (here + lengths)[:, None], tf.ones_like(here)
    )
    points = tf.where(tf.cumsum(change)[:size] > 0, NOTHING, points)
    points = tf.tensor_scatter_nd_update(points, here[:, None], first)
    return tf.tensor_scatter_nd_update(points, here[:, None] + 1, second)
