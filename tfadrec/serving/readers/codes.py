"""Texts to the codes of a vocabulary, or of hash buckets in its place."""

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.serving.lookups import lookup


class Codes(tf.Module):
    """Strings [...] to int32 [...], 0 where empty or unknown.

    Args:
      feature: has a vocabulary or `buckets`.
    """

    def __init__(self, feature: Feature) -> None:
        super().__init__()
        self._buckets = feature.buckets
        self._table = None
        if not feature.buckets:
            self._table = lookup(feature.vocabulary, tf.string)

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """See the class."""
        if self._table is not None:
            codes = self._table.lookup(texts)
        else:
            hashed = tf.strings.to_hash_bucket_fast(texts, self._buckets)
            codes = tf.cast(hashed, tf.int32) + 1
        return tf.where(texts == "", 0, codes)
