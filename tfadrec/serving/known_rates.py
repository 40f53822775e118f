"""Rates and counts of a request, where it leaves them empty."""

from collections.abc import Iterable, Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.data.rate_table import RateTable

#: Sorted after every key.
_NO_KEY = np.iinfo(np.int64).max


class KnownRates(tf.Module):
    """Reads rates and counts as of the end of the log.

    Each table is a sorted list of keys, in which a key is found by halving; of
    a key that is not there, such as a new ad's, the value is 0. Where the codes
    of a key's parts do not fit into 63 bits together, those that do are first
    looked up in a list of their own, and their place there stands for them.

    Args:
      features: the rates and counts of a schema.
      tables: by the features' tensors.
    """

    def __init__(
        self, features: Iterable[Feature], tables: Mapping[str, RateTable]
    ) -> None:
        super().__init__()
        self._read = {f.tensor: (*f.ids, *f.of) for f in features}
        self._steps, self._keys, self._values = {}, {}, {}
        for name in self._read:
            table = tables[name]
            self._steps[name], keys = _fold(table.keys)
            # One more, so that there is always something to gather.
            self._keys[name] = _fixed(np.append(keys, _NO_KEY))
            self._values[name] = _fixed(np.append(table.values, np.float32(0)))

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
        for (before, size), part in zip(self._steps[name], codes, strict=True):
            if before is not None:
                places, is_there = _find(before, tf.where(is_known, key, -1))
                key, is_known = tf.cast(places, tf.int64), is_there
            part = tf.cast(part, tf.int64)
            is_known &= (part > 0) & (part < size)
            key = key * size + part
        places, is_there = _find(self._keys[name], tf.where(is_known, key, -1))
        found = tf.gather(self._values[name], places)
        return tf.where(is_there, found, 0.0)


def _fixed(values: np.ndarray) -> tf.Variable:
    return tf.Variable(values, trainable=False)


def _fold(
    codes: np.ndarray,
) -> tuple[list[tuple[tf.Variable | None, int]], np.ndarray]:
    """Keys of several parts as one number each.

    Args:
      codes: int32 [K, P] of the keys' parts, in ascending order.

    Returns:
      For each part, the sorted list in which the parts before are looked up, or
      None where they fit as they are, and the number of its codes; and the
      keys, int64 [K], in ascending order.
    """
    steps: list[tuple[tf.Variable | None, int]] = []
    keys = np.zeros(len(codes), np.int64)
    for part in codes.T:
        size, before = int(part.max(initial=0)) + 1, None
        if int(keys.max(initial=0)) + 1 > _NO_KEY // size:
            known, keys = np.unique(keys, return_inverse=True)
            before = _fixed(np.append(known, _NO_KEY))
        steps.append((before, size))
        keys = keys * size + part
    return steps, keys


def _find(keys: tf.Variable, wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where keys are in a sorted list, int32, and whether they are."""
    flat = tf.reshape(wanted, [-1])
    # One key more, as the op does not take none at all.
    places = tf.searchsorted(keys, tf.pad(flat, [[0, 1]]))[:-1]
    is_there = tf.gather(keys, places) == flat
    shape = tf.shape(wanted)
    return tf.reshape(places, shape), tf.reshape(is_there, shape)


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
