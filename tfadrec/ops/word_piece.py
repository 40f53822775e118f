"""BERT's WordPiece in the graph, of core TensorFlow ops."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfadrec.ops import code_points
from tfadrec.ops.code_point_table import CodePointTable

#: What a character is to its neighbours.
WORD, SPACE, ALONE = range(3)
_ITSELF = -1
# The roots of the tries of whole words and of their continuations.
_FIRST, _NEXT = 0, 1
_POINT_BITS = 21


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
      normalized: for each code point [LIMIT] the text that it becomes. One that
        becomes itself between two spaces is a word of its own.
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
        normalized: Sequence[str],
        kinds: np.ndarray,
        vocabulary: Mapping[str, int],
        *,
        prefix: str,
        unknown: int,
        max_chars: int,
        whole: Mapping[str, int],
    ) -> None:
        super().__init__()
        places = np.full([code_points.LIMIT], _ITSELF)
        alone = np.zeros([code_points.LIMIT], np.int64)
        known: dict[str, int] = {}
        for point, text in enumerate(normalized):
            if len(text) > 2 and text[0] == text[-1] == " ":
                alone[point], text = 1, text[1:-1]
            if text != chr(point):
                places[point] = known.setdefault(text, len(known))
        self._places = CodePointTable(places, _ITSELF)
        self._alone = CodePointTable(alone, 1)
        self._kinds = CodePointTable(kinds, ALONE)
        lengths = np.array([len(text) for text in known], np.int32)
        # One more, so that the gathers below find something.
        self._lengths = tf.constant(np.append(lengths, 0), tf.int32)
        self._starts = tf.constant(np.append(0, np.cumsum(lengths)), tf.int32)
        self._become = tf.constant([*map(ord, "".join(known)), 0], tf.int32)
        edges, ids = _tries(vocabulary, prefix)
        self._edges = code_points.hash_table(edges, -1)
        self._ids = tf.constant(ids, tf.int32)
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
        places = self._places(points)
        is_itself = places == _ITSELF
        counts = tf.where(
            is_itself, 1, tf.gather(self._lengths, tf.maximum(places, 0))
        )
        source = tf.repeat(tf.range(tf.shape(points)[0]), counts)
        first = tf.gather(tf.cumsum(counts, exclusive=True), source)
        start = tf.gather(self._starts, tf.maximum(places, 0))
        within = tf.range(tf.shape(source)[0]) - first
        become = tf.gather(
            self._become,
            tf.where(
                tf.gather(is_itself, source),
                0,
                tf.gather(start, source) + within,
            ),
        )
        out = tf.where(
            tf.gather(is_itself, source), tf.gather(points, source), become
        )
        is_alone = tf.gather(self._alone(points), source) == 1
        kinds = tf.where(is_alone, ALONE, self._kinds(out))
        return out, tf.gather(rows, source), kinds

    def _longest(self, points, is_start, ends, words):
        """The longest token from each place on: its id and length."""
        size = tf.shape(points)[0]
        here = tf.range(size)
        ends = tf.gather(ends, words)
        is_whole = points >= code_points.LIMIT
        place = tf.where(is_whole, points - code_points.LIMIT, 0)
        ids = tf.where(is_whole, tf.gather(self._whole_ids, place), -1)
        lengths = tf.cast(is_whole, tf.int32)
        nodes = tf.cast(tf.where(is_start, _FIRST, _NEXT), tf.int64)

        def step(offset, here, nodes, ids, lengths):
            point = tf.cast(tf.gather(points, here + offset), tf.int64)
            nodes = self._edges.lookup(nodes * 2**_POINT_BITS + point)
            is_there = nodes >= 0
            here = tf.boolean_mask(here, is_there)
            nodes = tf.boolean_mask(nodes, is_there)
            ended = tf.gather(self._ids, nodes)
            is_token = ended >= 0
            at = tf.boolean_mask(here, is_token)[:, None]
            ids = tf.tensor_scatter_nd_update(
                ids, at, tf.boolean_mask(ended, is_token)
            )
            lengths = tf.tensor_scatter_nd_update(
                lengths, at, tf.fill([tf.shape(at)[0]], offset + 1)
            )
            goes_on = here + offset + 1 < tf.gather(ends, here)
            return (
                offset + 1,
                tf.boolean_mask(here, goes_on),
                tf.boolean_mask(nodes, goes_on),
                ids,
                lengths,
            )

        one = tf.TensorShape([None])
        *_, ids, lengths = tf.while_loop(
            lambda offset, here, *_: tf.size(here) > 0,
            step,
            (0, here, nodes, ids, lengths),
            (tf.TensorShape([]), one, one, one, one),
        )
        return ids, lengths


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


def _tries(
    vocabulary: Mapping[str, int], prefix: str
) -> tuple[dict[int, int], list[int]]:
    """Edges, (node, character) -> node, and the id that ends at each node."""
    edges: dict[int, int] = {}
    ids = [-1, -1]
    for token, token_id in vocabulary.items():
        for root, text in (
            (_FIRST, token),
            (_NEXT, token.removeprefix(prefix)),
        ):
            if not text or (root == _NEXT and not token.startswith(prefix)):
                continue
            node = root
            for char in text:
                key = (node << _POINT_BITS) + ord(char)
                if key not in edges:
                    edges[key] = len(ids)
                    ids.append(-1)
                node = edges[key]
            ids[node] = token_id
    return edges, ids
