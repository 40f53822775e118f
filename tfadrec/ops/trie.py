"""The longest known text at many places at once."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfadrec.ops import code_points

_POINT_BITS = 21
_NONE = -1


class Trie(tf.Module):
    """Texts as a tree of code points, walked from all places in step.

    Args:
      vocabularies: text -> number >= 0, for each root; no text is empty.
    """

    def __init__(self, vocabularies: Sequence[Mapping[str, int]]) -> None:
        super().__init__()
        edges, numbers = _tree(vocabularies)
        self._edges = code_points.hash_table(edges, _NONE)
        self._numbers = tf.constant(numbers, tf.int32)

    def __call__(
        self,
        points: tf.Tensor,
        here: tf.Tensor,
        roots: tf.Tensor,
        ends: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The longest text that begins at each place.

        Args:
          points: code points, int32 [P].
          here: the places to begin at, int32 [H].
          roots: the vocabulary that counts there, int32 [H].
          ends: the place that no text reaches, int32 [H], > `here`.

        Returns:
          The text's number, int32 [P], -1 where there is none or nothing
          begins, and its length, int32 [P], 0 there.
        """
        size = tf.shape(points)
        numbers, lengths = tf.fill(size, _NONE), tf.fill(size, 0)

        def step(offset, here, ends, nodes, numbers, lengths):
            point = tf.cast(tf.gather(points, here + offset), tf.int64)
            nodes = self._edges.lookup(nodes * 2**_POINT_BITS + point)
            is_there = nodes >= 0
            here, ends, nodes = (
                tf.boolean_mask(values, is_there)
                for values in (here, ends, nodes)
            )
            ended = tf.gather(self._numbers, nodes)
            is_text = ended >= 0
            at = tf.boolean_mask(here, is_text)[:, None]
            numbers = tf.tensor_scatter_nd_update(
                numbers, at, tf.boolean_mask(ended, is_text)
            )
            lengths = tf.tensor_scatter_nd_update(
                lengths, at, tf.fill([tf.shape(at)[0]], offset + 1)
            )
            goes_on = here + offset + 1 < ends
            return (
                offset + 1,
                *(tf.boolean_mask(v, goes_on) for v in (here, ends, nodes)),
                numbers,
                lengths,
            )

        one = tf.TensorShape([None])
        *_, numbers, lengths = tf.while_loop(
            lambda offset, here, *_: tf.size(here) > 0,
            step,
            (0, here, ends, tf.cast(roots, tf.int64), numbers, lengths),
            (tf.TensorShape([]), one, one, one, one, one),
        )
        return numbers, lengths


def _tree(
    vocabularies: Sequence[Mapping[str, int]],
) -> tuple[dict[int, int], list[int]]:
    """Edges, (node, character) -> node, and the number that ends at each."""
    edges: dict[int, int] = {}
    numbers = [_NONE] * len(vocabularies)
    for root, vocabulary in enumerate(vocabularies):
        for text, number in vocabulary.items():
            node = root
            for char in text:
                key = (node << _POINT_BITS) + ord(char)
                if key not in edges:
                    edges[key] = len(numbers)
                    numbers.append(_NONE)
                node = edges[key]
            numbers[node] = number
    return edges, numbers
