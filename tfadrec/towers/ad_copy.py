"""Catalogue rows to vectors of the ad copy, by an encoder that is trained."""

import os
import pathlib
from collections.abc import Mapping

import numpy as np
from tensorflow.python.saved_model import save_context

from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.layers.building import built, table
from tfadrec.ops import xla

#: Groups of texts of like length, each padded to its own longest.
_GROUPS = 4


class AdCopy:
    """Encodes the texts of catalogue rows, those of like length together.

    Short titles do not pay for long ones: the rows of a call are sorted by
    their number of tokens, and cut into a few groups. Under XLA, whose shapes
    are fixed, every text is as long as the catalogue's longest.

    Args:
      encoder: a built layer of `tfadrec.layers.text`.
      token_ids: int32 [M + 1], those of all ads, one ad after another, and one
        that stands in padding.
      token_starts: int32 [N + 2]; row r has the ids from the r-th start to the
        next; row 0, the unknown ad, has none.
      longest: the number of tokens of the longest ad.
      max_distinct: see `AdTower`.
    """

    def __init__(
        self, encoder, token_ids, token_starts, longest: int, max_distinct
    ) -> None:
        self._encoder = encoder
        self._ids = token_ids
        self._starts = token_starts
        self._longest = max(longest, 1)
        self._max_distinct = max_distinct
        self._lower: str | None = None

    @classmethod
    def of(
        cls,
        layer: keras.layers.Layer,
        encoder: keras.layers.Layer,
        tokens: Mapping[str, int],
        num_rows: int,
        at_start: Mapping[str, np.ndarray],
        max_distinct: int | None = None,
    ) -> "AdCopy":
        """Makes the encoder's weights and the tokens', in a layer's `build`.

        Args:
          layer: that has them.
          encoder: see the class; it is built where it is not.
          tokens: `count` and `longest`, as `Catalogue.spec` tells them.
          num_rows: of the catalogue's tables, row 0 included.
          at_start: `token_ids` and `token_starts`, as `Catalogue.tables` gives
            them; without them they are zeros, until they are loaded.
          max_distinct: see `AdTower`.
        """
        sizes = {
            "token_ids": tokens["count"] + 1,
            "token_starts": num_rows + 1,
        }
        ids, starts = (
            table(layer, key, at_start.get(key), [size], "int32")
            for key, size in sizes.items()
        )
        shape = tf.TensorShape([None, None])
        built(encoder, {"token_ids": shape, "token_mask": shape})
        return cls(encoder, ids, starts, tokens["longest"], max_distinct)

    def __call__(self, rows, training=None):
        """Vectors of distinct rows, int32 [U], as float [U, W]."""
        if xla.is_compiling():
            return self.encode_padded(rows, training)
        starts, lengths = self._read(rows)
        order = tf.argsort(lengths)
        size = tf.size(rows)
        vectors = []
        for group in range(_GROUPS):
            begin, end = (size * g // _GROUPS for g in (group, group + 1))
            chosen = order[begin:end]
            own = tf.gather(lengths, chosen)
            longest = tf.reduce_max(tf.concat([own, [1]], 0))
            vectors.append(
                self._encode(tf.gather(starts, chosen), own, longest, training)
            )
        return tf.gather(tf.concat(vectors, 0), tf.argsort(order))

    def read_lower_layers(self, path: str | os.PathLike[str]) -> None:
        """See `AdTower.read_lower_layers`."""
        dtype = tf.as_dtype(self._encoder.compute_dtype)
        expected = self._ids.shape[0] * self._encoder.width * dtype.size
        path = pathlib.Path(path).absolute()
        found = path.stat().st_size
        if found != expected:
            raise InputError(
                "the file of the lower layers must hold a vector for each token"
                f" of the catalogue, {expected} bytes. Received: {path} with "
                f"{found}. Make it with `data.lower_layers`."
            )
        self._lower = str(path)

    def reads(self, tables: Mapping[str, np.ndarray]) -> bool:
        """Whether these are its tokens.

        Args:
          tables: `token_ids` and `token_starts`, as `Catalogue.tables` gives
            them.
        """
        return all(
            np.array_equal(own.numpy(), tables[name])
            for name, own in (
                ("token_ids", self._ids),
                ("token_starts", self._starts),
            )
        )

    def lower(self, rows, most: int):
        """What the encoder's lower part makes of the first tokens of texts.

        A token's vector depends on the whole text, and not on where it is cut.

        Args:
          rows: int32 [U], distinct or not.
          most: tokens that are given of a text, padded where it has fewer.

        Returns:
          float [U, most, W], and the mask bool [U, most], True = real.
        """
        starts, lengths = self._read(rows)
        mask = tf.sequence_mask(lengths, most)
        if self._reads_file():
            return self._gather_lower(self._places(starts, mask)), mask
        longest = max(self._longest, most)
        whole = tf.sequence_mask(lengths, longest)
        tokens = self._tokens(starts, whole)
        return self._encoder.lower(tokens)[:, :most], mask

    def encode_padded(self, rows, training=None):
        """The same, with each text as long as the catalogue's longest."""
        starts, lengths = self._read(rows)

        def encode(starts, lengths):
            return self._encode(starts, lengths, self._longest, training)

        room = self._max_distinct
        if room is None:
            return encode(starts, lengths)
        is_full = tf.reduce_any(lengths[room:] > 0)
        rest = tf.shape(lengths[room:])[0]

        def encode_first():
            vectors = encode(starts[:room], lengths[:room])
            return tf.pad(vectors, [[0, rest], [0, 0]])

        return tf.cond(is_full, lambda: encode(starts, lengths), encode_first)

    def _read(self, rows):
        starts = tf.gather(self._starts, rows)
        return starts, tf.gather(self._starts, rows + 1) - starts

    def _encode(self, starts, lengths, longest, training):
        mask = tf.sequence_mask(lengths, longest)
        if not self._reads_file():
            return self._encoder(self._tokens(starts, mask), training=training)
        hidden = self._gather_lower(self._places(starts, mask))
        return self._encoder.upper(hidden, mask, training)

    def _places(self, starts, mask):
        places = starts[:, None] + tf.range(tf.shape(mask)[1])
        return tf.where(mask, places, self._ids.shape[0] - 1)

    def _tokens(self, starts, mask):
        ids = tf.gather(self._ids, self._places(starts, mask))
        return {"token_ids": ids, "token_mask": mask}

    def _reads_file(self):
        # A saved graph must not need the file, and XLA cannot read it.
        return not (
            self._lower is None
            or xla.is_compiling()
            or save_context.in_save_context()
        )

    def _gather_lower(self, places):
        with tf.device("CPU"):
            # Mapped into memory: only the pages that are read are loaded.
            file = tf.raw_ops.ImmutableConst(
                dtype=self._encoder.compute_dtype,
                shape=[self._ids.shape[0], self._encoder.width],
                memory_region_name=self._lower,
            )
            return tf.gather(file, places)


def check_tokens(
    tokens: Mapping[str, int],
    at_start: Mapping[str, np.ndarray],
    encoder: keras.layers.Layer,
) -> None:
    """Refuses tokens that an encoder cannot read.

    Args:
      tokens: see `AdCopy.of`.
      at_start: see `AdCopy.of`.
      encoder: see `AdCopy`.

    Raises:
      ValueError: where they are of another vocabulary, or too many of an ad.
    """
    longest = tokens["longest"]
    ids = at_start.get("token_ids", np.zeros(1, np.int32))
    if longest > encoder.max_tokens or ids.max() >= encoder.vocabulary_size:
        raise ValueError(
            "the catalogue's tokens must be of the encoder's vocabulary, "
            f"{encoder.vocabulary_size} ids, and at most {encoder.max_tokens} "
            f"of an ad. Received: the id {ids.max()}, and {longest} tokens of "
            "an ad. Tokenise it with the encoder's tokenizer, cut at "
            "`max_tokens`."
        )
