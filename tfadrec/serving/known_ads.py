"""The ads of a bundle, which are encoded already, and those of a request."""

from collections.abc import Iterable, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.serving.lookups import lookup

#: Ids [B, M] of ads that a request brings along, and the tower's dict for them.
NewAds = tuple[tf.Tensor, Mapping[str, tf.Tensor]]


class KnownAds(tf.Module):
    """Raw ids of ads to what the ad tower made of them.

    Args:
      ad_ids: [N] distinct ids.
      tables: arrays [N + 1, ...] by the names of the tower's parts, row 0 that
        of the unknown ad; each is taken out of the dict when it is read, so
        that a large catalogue is not held twice.
    """

    def __init__(
        self, ad_ids: np.ndarray, tables: dict[str, np.ndarray]
    ) -> None:
        super().__init__()
        is_text = ad_ids.dtype.kind in "OU"
        self.id_type = tf.string if is_text else tf.int64
        self._rows = lookup(ad_ids, self.id_type)
        nothing = np.array(["" if is_text else -1], ad_ids.dtype)
        self.ids = tf.Variable(
            tf.constant(
                np.concatenate([nothing, ad_ids]).tolist(), self.id_type
            ),
            trainable=False,
        )
        self._encoded = {
            name: tf.Variable(tables.pop(name), trainable=False)
            for name in list(tables)
        }

    @property
    def num_rows(self) -> int:
        """N + 1, the unknown ad's row 0 included."""
        return self.ids.shape[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """What is known of an ad."""
        return tuple(self._encoded)

    @property
    def width(self) -> int:
        """D of the vectors."""
        return self._encoded["vector"].shape[-1]

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        """Raw ids [...] to rows, int32 [...], 0 where unknown."""
        return self._rows.lookup(ids)

    def of_rows(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """All that is known of rows [...]."""
        return {k: tf.gather(v, rows) for k, v in self._encoded.items()}

    def of_ids(
        self, ids: tf.Tensor, parts: Iterable[str], new: NewAds | None = None
    ) -> dict[str, tf.Tensor]:
        """What is known of ads, from the catalogue or of new ones.

        Args:
          ids: [B, n] raw ids.
          parts: names of what is wanted.
          new: ads of the request; one that the catalogue has is read there.

        Returns:
          Tensors [B, n, ...] by name.
        """
        rows = self.rows(ids)
        found = {key: tf.gather(self._encoded[key], rows) for key in parts}
        if new is None:
            return found
        new_ids, encoded = new
        # Place M is that of no new ad.
        is_new = (ids[:, :, None] == new_ids[:, None, :]) & (rows == 0)[
            ..., None
        ]
        is_new = tf.pad(
            tf.cast(is_new, tf.int32),
            [[0, 0], [0, 0], [0, 1]],
            constant_values=1,
        )
        place = tf.argmax(is_new, axis=-1)
        is_known = place == tf.shape(new_ids, tf.int64)[1]
        for key, values in found.items():
            behind = values.shape.rank - 2
            pad = [[0, 0], [0, 1], *[[0, 0]] * behind]
            other = tf.gather(tf.pad(encoded[key], pad), place, batch_dims=1)
            shape = tf.concat([tf.shape(place), [1] * behind], 0)
            found[key] = tf.where(tf.reshape(is_known, shape), values, other)
        return found
