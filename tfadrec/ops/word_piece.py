"""BERT's WordPiece in the graph, of core TensorFlow ops."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfadrec.ops import code_points
from tfadrec.ops.code_point_table import CodePointTable
from tfadrec.ops.code_point_texts import CodePointTexts
from tfadrec.ops.trie import Trie

#: What a character is to its neighbours.
WORD, SPACE, ALONE = range(3)
# The roots of the tree of whole words and of their continuations.
_FIRST, _NEXT = 0, 1


class WordPiece(tf.Module):
    """Texts to the token ids of WordPiece: string [n] to ragged int32 [n, L].

    1. Each character is replaced by what it is normalised to.
    2. Spaces part words; some characters are words of their own.
    3. From the start of a word, and then from the end of each token, the
       longest token of the vocabulary is taken. A word where there is none, or
       that is too long, becomes the unknown token.

    The longest token at every place is found at once, by walking the trie of
    the vocabulary from all places in step.

    Args:
      normalized: code point -> the text that it becomes, of those that do not
        become themselves. One between two spaces is a word of its own.
      kinds: int [LIMIT], `WORD`, `SPACE` or `ALONE`, of normalised characters.
      vocabulary: token -> id.
      prefix: that tokens within a word begin with.
      unknown: the unknown token's id.
      max_chars: characters of a word, beyond which it is unknown.
      whole: token -> id, of tokens found in the text as they are.

    Reference:
      Devlin et al., "BERT", NAACL 2019, appendix; the code of its authors.
    """

    def __init__(
        self,
        normalized: Mapping[int, str],
        kinds: np.ndarray,
        vocabulary: Mapping[str, int],
        *,
        prefix: str,
        unknown: int,
        max_chars: int,
        whole: Mapping[str, int],
    ) -> None:
        super().__init__()
        alone = np.zeros([code_points.LIMIT], np.int64)
        become = {}
        for point, text in normalized.items():
            if len(text) > 2 and text[0] == text[-1] == " ":
                alone[point], text = 1, text[1:-1]
            if text != chr(point):
                become[point] = text
        self._become = CodePointTexts(become)
        self._alone = CodePointTable(alone, 1)
        self._kinds = CodePointTable(kinds, ALONE)
        self._tokens = Trie(_roots(vocabulary, prefix))
        self._unknown = unknown
        self._max_chars = max_chars
        self._whole = tuple(whole)
        self._whole_ids = tf.constant([*whole.values(), 0], tf.int32)

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """See the class; bytes that are no UTF-8 are read as U+FFFD."""
        points, rows = code_points.decode(texts, self._whole)
        points, rows, kinds = self._normalize(points, rows)
        before = code_points.shifted(kinds, 1, SPACE)
        is_start = (kinds == ALONE) | (before != WORD)
        is_start |= rows != code_points.shifted(rows, 1, -1)
        is_char = kinds != SPACE
        points, rows, is_start = (
            tf.boolean_mask(values, is_char)
            for values in (points, rows, is_start)
        )
        words = tf.cumsum(tf.cast(is_start, tf.int32)) - 1
        sizes = tf.math.bincount(words, dtype=tf.int32)
        firsts = tf.cumsum(sizes, exclusive=True)
        ids, lengths = self._longest(points, is_start, firsts + sizes, words)
        taken, is_unknown = _walk(firsts, sizes, lengths)
        is_unknown |= sizes > self._max_chars
        in_unknown = tf.gather(is_unknown, words)
        taken = tf.where(in_unknown, is_start, taken)
        ids = tf.where(in_unknown, self._unknown, ids)
        return tf.RaggedTensor.from_value_rowids(
            tf.boolean_mask(ids, taken),
            tf.cast(tf.boolean_mask(rows, taken), tf.int64),
            nrows=tf.shape(texts, tf.int64)[0],
            validate=False,
        )

    def _normalize(self, points, rows):
        """Characters, rows and kinds after normalisation, each [P']."""
        out, source = self._become(points)
        is_alone = tf.gather(self._alone(points), source) == 1
        kinds = tf.where(is_alone, ALONE, self._kinds(out))
        return out, tf.gather(rows, source), kinds

    def _longest(self, points, is_start, ends, words):
        """The longest token from each place on: its id and length."""
        ids, lengths = self._tokens(
            points,
            tf.range(tf.shape(points)[0]),
            tf.where(is_start, _FIRST, _NEXT),
            tf.gather(ends, words),
        )
        is_whole = points >= code_points.LIMIT
        place = tf.where(is_whole, points - code_points.LIMIT, 0)
        ids = tf.where(is_whole, tf.gather(self._whole_ids, place), ids)
        return ids, tf.where(is_whole, 1, lengths)


def _walk(firsts, sizes, lengths):
    """Goes from token to token: the places taken, and the words stuck."""
    taken = tf.zeros(tf.shape(lengths), tf.bool)
    stuck = tf.zeros(tf.shape(firsts), tf.bool)
    words = tf.range(tf.shape(firsts)[0])
    ends = firsts + sizes

    def step(here, words, taken, stuck):
        length = tf.gather(lengths, here)
        yes = tf.ones(tf.shape(here), tf.bool)
        taken = tf.tensor_scatter_nd_update(taken, here[:, None], yes)
        stuck = tf.tensor_scatter_nd_update(stuck, words[:, None], length == 0)
        here += length
        goes_on = (length > 0) & (here < tf.gather(ends, words))
        return (
            tf.boolean_mask(here, goes_on),
            tf.boolean_mask(words, goes_on),
            taken,
            stuck,
        )

    one = tf.TensorShape([None])
    *_, taken, stuck = tf.while_loop(
        lambda here, *_: tf.size(here) > 0,
        step,
        (firsts, words, taken, stuck),
        (one, one, one, one),
    )
    return taken, stuck


def _roots(vocabulary: Mapping[str, int], prefix: str) -> list[dict[str, int]]:
    """What begins a word, and what goes on with one."""
    first = {token: number for token, number in vocabulary.items() if token}
    following = {
        token.removeprefix(prefix): number
        for token, number in first.items()
        if token.startswith(prefix) and token != prefix
    }
    return [first, following]
