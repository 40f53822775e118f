"""The ads of a bundle, which are encoded already, and those of a request."""

from collections.abc import Collection, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.growing import append, at_rows, growing, put
from tfadrec.core.schema import NO_AD

#: Ids [B, M] of ads that a request brings along, and the tower's dict for them.
NewAds = tuple[tf.Tensor, Mapping[str, tf.Tensor]]
#: The sum of an ad's fields, which is not kept beside them.
_SUM, _FIELDS = "vector", "fields"


class KnownAds(tf.Module):
    """Raw ids of ads to what the ad tower made of them.

    Ids are looked up among sorted fingerprints, which are variables, so that
    ads can be added to a bundle that was exported.

    Args:
      ad_ids: [N] distinct ids.
      tables: arrays [N + 1, ...] by the names of the tower's parts, row 0 that
        of the unknown ad; each is taken out of the dict when it is read, so
        that a large catalogue is not held twice. `vector` is the sum of
        `fields`, and is not read.
    """

    def __init__(
        self, ad_ids: np.ndarray, tables: dict[str, np.ndarray]
    ) -> None:
        super().__init__()
        is_text = ad_ids.dtype.kind in "OU"
        self.id_type = tf.string if is_text else tf.int64
        nobody = NO_AD["string" if is_text else "int64"]
        nothing = np.array([nobody], ad_ids.dtype)
        ids = tf.constant(
            np.concatenate([nothing, ad_ids]).tolist(), self.id_type
        )
        self._ids = growing(ids)
        keys = _keys(ids).numpy()
        # Row 0 last, where an ad is called as the unknown one.
        order = np.lexsort((-np.arange(len(keys)), keys)).astype(np.int32)
        self._keys, self._rows = growing(keys[order]), growing(order)
        tables.pop(_SUM, None)
        self._encoded = {
            name: growing(tables.pop(name)) for name in list(tables)
        }

    @property
    def num_rows(self) -> tf.Tensor:
        """N + 1, the unknown ad's row 0 included, int32."""
        return tf.size(self._keys.read_value())

    def put(self, ids: tf.Tensor, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Adds ads behind those that there are, or changes those.

        Args:
          ids: [n], distinct.
          parts: all of `parts` of these, [n, ...].

        Returns:
          Their rows, int32 [n].
        """
        rows = self.rows(ids)
        is_new = rows == 0
        behind = self.num_rows - 1 + tf.cumsum(tf.cast(is_new, tf.int32))
        rows = tf.where(is_new, behind, rows)
        new = tf.boolean_mask(ids, is_new)
        append(self._ids, new)
        keys = tf.concat([self._keys, _keys(new)], 0)
        order = tf.argsort(keys, stable=True)
        known = tf.concat([self._rows, tf.boolean_mask(rows, is_new)], 0)
        self._rows.assign(tf.gather(known, order))
        self._keys.assign(tf.gather(keys, order))
        for name, table in self._encoded.items():
            put(table, rows, parts[name])
        return rows

    @property
    def parts(self) -> tuple[str, ...]:
        """What is known of an ad."""
        return (_SUM, *self._encoded)

    @property
    def width(self) -> int:
        """D of the vectors."""
        return self._encoded[_FIELDS].shape[-1]

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        """Raw ids [...] to rows, int32 [...], 0 where unknown."""
        flat = tf.reshape(ids, [-1])
        places = tf.searchsorted(self._keys.read_value(), _keys(flat))
        rows = at_rows(self._rows, tf.minimum(places, self.num_rows - 1))
        rows = tf.where(self.ids_of(rows) == flat, rows, 0)
        return tf.reshape(rows, tf.shape(ids))

    def ids_of(self, rows: tf.Tensor) -> tf.Tensor:
        """Raw ids [...] of rows [...]; the empty id, "" or -1, of row 0."""
        return at_rows(self._ids, rows)

    def of_rows(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """All that is known of rows [...]."""
        return _with_sum(self._kept(rows, self.parts), self.parts)

    def of_ids(
        self, ids: tf.Tensor, parts: Collection[str], new: NewAds | None = None
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
        found = self._kept(rows, parts)
        if new is None:
            return _with_sum(found, parts)
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
        return _with_sum(found, parts)

    def _kept(self, rows, parts):
        """What there are tables of, for these parts."""
        names = {_FIELDS if name == _SUM else name for name in parts}
        return {key: at_rows(self._encoded[key], rows) for key in sorted(names)}


def _with_sum(found, parts):
    """The parts that are asked for, of those that are kept."""
    if _SUM in parts:
        found = {**found, _SUM: tf.reduce_sum(found[_FIELDS], axis=-2)}
    return {name: found[name] for name in parts}


def _keys(ids: tf.Tensor) -> tf.Tensor:
    """What ids [n] are sorted by, int64 [n]: themselves, or fingerprints."""
    if ids.dtype == tf.int64:
        return ids
    return tf.strings.to_hash_bucket_fast(ids, 2**63 - 1)
