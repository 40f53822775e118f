"""Catalogue rows to vectors of the ad copy, by an encoder that is trained."""

import os
import pathlib

from tensorflow.python.saved_model import save_context

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
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
        places = starts[:, None] + tf.range(longest)
        places = tf.where(mask, places, self._ids.shape[0] - 1)
        # A saved graph must not need the file, and XLA cannot read it.
        if (
            self._lower is None
            or xla.is_compiling()
            or save_context.in_save_context()
        ):
            tokens = {
                "token_ids": tf.gather(self._ids, places),
                "token_mask": mask,
            }
            return self._encoder(tokens, training=training)
        with tf.device("CPU"):
            # Mapped into memory: only the pages that are read are loaded.
            table = tf.raw_ops.ImmutableConst(
                dtype=self._encoder.compute_dtype,
                shape=[self._ids.shape[0], self._encoder.width],
                memory_region_name=self._lower,
            )
            hidden = tf.gather(table, places)
        return self._encoder.upper(hidden, mask, training)
