"""GPT-2's byte-level BPE in the graph, of core TensorFlow ops."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfadrec.ops import code_points
from tfadrec.ops.code_point_table import CodePointTable

#: What a character is to its neighbours; of `ALONE` each is a part of its own.
LETTER, NUMBER, OTHER, SPACE, ALONE = range(5)
_WHOLE = 5
_NEVER = 2**31 - 1
# What follows an apostrophe, in lower case, is parted from the word.
_SHORT = ("s", "t", "m", "d")
_LONG = ("re", "ve", "ll")


class BytePair(tf.Module):
    r"""Texts to the token ids of byte-level BPE: string [n] to ragged [n, L].

    1. A text is parted as GPT-2's regular expression does it,
       `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`
       `|\s+`, between characters that stand alone.
    2. The UTF-8 bytes of a part are its first tokens.
    3. In each part the pair of neighbours that was merged first in training
       becomes one token, wherever it stands, from left to right; and so on.

    Args:
      kinds: int [LIMIT], `LETTER`, `NUMBER`, `OTHER`, `SPACE` or `ALONE`, of
        each code point.
      byte_ids: the ids of the 256 bytes, -1 for one that is left out of texts.
      merges: (left id, right id) -> the pair's id, in the order of training.
      whole: token -> id, of tokens found in the text as they are.

    Reference:
      Radford et al., "Language Models are Unsupervised Multitask Learners",
      2019, section 2.2; the code of its authors.
    """

    def __init__(
        self,
        kinds: np.ndarray,
        byte_ids: Sequence[int],
        merges: Mapping[tuple[int, int], int],
        *,
        whole: Mapping[str, int],
    ) -> None:
        super().__init__()
        self._kinds = CodePointTable(kinds, _WHOLE)
        self._byte_ids = tf.constant(byte_ids, tf.int32)
        self._ranks = code_points.hash_table(
            {
                (left << 32) + right: rank
                for rank, (left, right) in enumerate(merges)
            },
            _NEVER,
        )
        # One more, so that the gather below finds something.
        self._merged = tf.constant([*merges.values(), 0], tf.int32)
        self._whole = tuple(whole)
        self._whole_ids = tf.constant([*whole.values(), 0], tf.int32)

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """See the class; bytes that are no UTF-8 are read as U+FFFD."""
        points, rows = code_points.decode(texts, self._whole)
        parts = tf.cumsum(tf.cast(self._starts(points, rows), tf.int32)) - 1
        source, tokens = self._bytes(points)
        tokens, parts, rows = self._merge(
            tokens, tf.gather(parts, source), tf.gather(rows, source)
        )
        return tf.RaggedTensor.from_value_rowids(
            tokens,
            tf.cast(rows, tf.int64),
            nrows=tf.shape(texts, tf.int64)[0],
            validate=False,
        )

    def _starts(self, points, rows):
        """Whether a part begins at a character, bool [P]."""
        kinds = self._kinds(points)
        shifted = code_points.shifted
        # It ends the text before it, as a token that was found whole does.
        is_alone = kinds >= ALONE
        is_first = (
            is_alone
            | shifted(is_alone, 1, True)
            | (rows != shifted(rows, 1, -1))
        )
        is_last = shifted(is_first, -1, True)
        change = is_first | (kinds != shifted(kinds, 1, -1))
        # One blank goes to the word behind it.
        is_joined = ~is_first & (shifted(points, 1, -1) == ord(" "))
        starts = change & ~(is_joined & (kinds != SPACE))
        # So the last space before a word is parted from those before it.
        is_space = kinds == SPACE
        starts |= is_space & ~is_last & ~shifted(is_space, -1, False)
        # An apostrophe at the start of a part, and what is parted with it.
        second = tf.where(is_last, -1, shifted(points, -1, -1))
        third = tf.where(
            shifted(is_last, -1, True), -1, shifted(points, -2, -1)
        )
        is_mark = starts & (points == ord("'"))
        is_short, is_long = (tf.zeros(tf.shape(points), tf.bool),) * 2
        for char in _SHORT:
            is_short |= second == ord(char)
        for one, other in _LONG:
            is_long |= (second == ord(one)) & (third == ord(other))
        is_short &= is_mark
        is_long &= is_mark & (second >= 0)
        starts &= ~shifted(is_short | is_long, 1, False)
        starts |= shifted(is_short, 2, False) | shifted(is_long, 3, False)
        return starts | is_first

    def _bytes(self, points):
        """The first tokens [M], and the character that each is of."""
        is_whole = points >= code_points.LIMIT
        count = 1 + sum(
            tf.cast(points >= least, tf.int32)
            for least in (0x80, 0x800, 0x10000)
        )
        count = tf.where(is_whole, 1, count)
        source = tf.repeat(tf.range(tf.shape(points)[0]), count)
        first = tf.gather(tf.cumsum(count, exclusive=True), source)
        within = tf.range(tf.shape(source)[0]) - first
        count, point = tf.gather(count, source), tf.gather(points, source)
        high = tf.bitwise.right_shift(point, 6 * (count - 1 - within))
        lead = tf.gather(tf.constant([0, 0, 0xC0, 0xE0, 0xF0]), count)
        byte = tf.where(within == 0, high + lead, high % 64 + 0x80)
        is_whole = tf.gather(is_whole, source)
        tokens = tf.where(
            is_whole,
            tf.gather(
                self._whole_ids,
                tf.where(is_whole, point - code_points.LIMIT, 0),
            ),
            tf.gather(self._byte_ids, tf.where(is_whole, 0, byte)),
        )
        is_kept = tokens >= 0
        return (
            tf.boolean_mask(source, is_kept),
            tf.boolean_mask(tokens, is_kept),
        )

    def _merge(self, tokens, parts, rows):
        def step(_, tokens, parts, rows):
            right = code_points.shifted(tokens, -1, 0)
            pair = tf.cast(tokens, tf.int64) * 2**32 + tf.cast(right, tf.int64)
            ranks = tf.cast(self._ranks.lookup(pair), tf.int32)
            is_pair = parts == code_points.shifted(parts, -1, -1)
            ranks = tf.where(is_pair, ranks, _NEVER)
            least = tf.math.segment_min(ranks, parts)
            match = (ranks < _NEVER) & (ranks == tf.gather(least, parts))
            # Of a a a a, the first and the third are merged.
            begins = match & ~code_points.shifted(match, 1, False)
            number = tf.cumsum(tf.cast(match, tf.int32))
            run = tf.cumsum(tf.cast(begins, tf.int32))
            begun = tf.gather(
                tf.concat([[0], tf.boolean_mask(number, begins)], 0), run
            )
            match &= (number - begun) % 2 == 0
            place = tf.where(match, ranks, 0)
            tokens = tf.where(match, tf.gather(self._merged, place), tokens)
            kept = ~code_points.shifted(match, 1, False)
            return (
                tf.reduce_any(match),
                *(tf.boolean_mask(v, kept) for v in (tokens, parts, rows)),
            )

        one = tf.TensorShape([None])
        _, *merged = tf.while_loop(
            lambda goes_on, *_: goes_on,
            step,
            (True, tokens, parts, rows),
            (tf.TensorShape([]), one, one, one),
        )
        return merged
