"""A number of a request."""

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.data.features.number import LARGEST
from tfadrec.serving.readers.reader import Reader


class NumberReader(Reader):
    """A number in its own unit, nan where it is missing.

    float64 [...] to float32 [...], or int32 [...] where it falls into buckets.
    """

    def parts(self):
        """See `Reader.parts`."""
        return {"": ([], tf.float64)}

    def read(self, raw):
        """See `Reader.read`."""
        name = self.feature.tensor
        return {name: standardised(raw[name], self.feature)}

    def is_given(self, raw):
        """See `Reader.is_given`."""
        return tf.abs(raw[self.feature.tensor]) <= LARGEST


def standardised(values: tf.Tensor, feature: Feature) -> tf.Tensor:
    """float64 [...] as a model reads them; see `data.features.Number`."""
    is_there = tf.abs(values) <= LARGEST
    values = tf.where(is_there, values, 0.0)
    if feature.bounds:
        # One number more, as the op does not take none at all.
        flat = tf.pad(tf.reshape(values, [-1]), [[0, 1]])
        bounds = tf.constant(feature.bounds, tf.float64)
        codes = tf.searchsorted(bounds, flat, side="right")[:-1] + 1
        return tf.where(is_there, tf.reshape(codes, tf.shape(values)), 0)
    if feature.low is not None:
        values = tf.clip_by_value(values, feature.low, feature.high)
    if feature.log1p:
        values = tf.sign(values) * tf.math.log1p(tf.abs(values))
    scaled = tf.cast((values - feature.mean) / feature.std, tf.float32)
    is_there &= tf.math.is_finite(scaled)
    return tf.where(is_there, scaled, float("nan"))
