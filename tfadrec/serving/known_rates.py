"""Rates and counts of a request, where it leaves them empty."""

from collections.abc import Iterable, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.data.rate_table import RateTable


class KnownRates(tf.Module):
    """Reads rates and counts as of the end of the log.

    Each table is a sorted list of keys, in which a key is found by halving; of
    a key that is not there, such as a new ad's, the value is 0.

    Args:
      features: the rates and counts of a schema.
      tables: by the features' tensors.
    """

    def __init__(
        self, features: Iterable[Feature], tables: Mapping[str, RateTable]
    ) -> None:
        super().__init__()
        self._read = {f.tensor: (*f.ids, *f.of) for f in features}
        self._sizes, self._keys, self._values = {}, {}, {}
        for name in self._read:
            table = tables[name]
            sizes = table.keys.max(axis=0, initial=0).astype(np.int64) + 1
            keys = np.zeros(len(table.keys), np.int64)
            for size, part in zip(sizes, table.keys.T, strict=True):
                keys = keys * size + part
            self._sizes[name] = sizes.tolist()
            # One more, so that there is always something to gather.
            self._keys[name] = tf.Variable(
                np.append(keys, np.iinfo(np.int64).max), trainable=False
            )
            self._values[name] = tf.Variable(
                np.append(table.values, np.float32(0)), trainable=False
            )

    def fill(
        self,
        inputs: Mapping[str, tf.Tensor],
        ads: Mapping[str, tf.Tensor],
        rows: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The inputs of a ranker, with values where they are nan.

        Args:
          inputs: of the ranker, [B] of users and the context, [B, C] of
            candidates.
          ads: the ad tower's dict for the candidates, leading axes [B, C].
          rows: int32 [B, C] of the catalogue, 0 = unknown.
        """
        filled = dict(inputs)
        for name, parts in self._read.items():
            codes = [_at(part, inputs, ads, rows) for part in parts]
            given = inputs[name]
            known = self._look_up(name, codes, tf.shape(given))
            filled[name] = tf.where(tf.math.is_nan(given), known, given)
        return filled

    def _look_up(
        self, name: str, codes: list[tf.Tensor], shape: tf.Tensor
    ) -> tf.Tensor:
        key = tf.zeros(shape, tf.int64)
        is_known = tf.ones(shape, tf.bool)
        for size, part in zip(self._sizes[name], codes, strict=True):
            part = tf.cast(part, tf.int64)
            is_known &= (part > 0) & (part < size)
            key = key * size + part
        keys = self._keys[name]
        flat = tf.reshape(tf.where(is_known, key, -1), [-1])
        # One key more, as the op does not take none at all.
        places = tf.searchsorted(keys, tf.pad(flat, [[0, 1]]))[:-1]
        found = tf.gather(self._values[name], places)
        is_there = tf.gather(keys, places) == flat
        return tf.reshape(tf.where(is_there, found, 0.0), shape)


def _at(
    name: str,
    inputs: Mapping[str, tf.Tensor],
    ads: Mapping[str, tf.Tensor],
    rows: tf.Tensor,
) -> tf.Tensor:
    """Codes of a part of a key, [B, C] or [B, 1]."""
    if name == "ad_id":
        return rows
    codes = ads[name] if name in ads else inputs[name]
    return codes if codes.shape.rank == 2 else codes[:, None]
