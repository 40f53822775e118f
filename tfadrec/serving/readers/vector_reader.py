"""A vector of a request."""

from tfadrec.core.door import tf
from tfadrec.serving.readers.reader import Reader


class VectorReader(Reader):
    """Floats, all 0 where they are missing: float32 [..., W] to the same.

    A vector with a number that is not finite is a missing one.
    """

    def parts(self):
        """See `Reader.parts`."""
        return {"": ([self.feature.width], tf.float32)}

    def read(self, raw):
        """See `Reader.read`."""
        name = self.feature.tensor
        finite = tf.reduce_all(
            tf.math.is_finite(raw[name]), axis=-1, keepdims=True
        )
        return {name: tf.where(finite, raw[name], 0.0)}

    def is_given(self, raw):
        """See `Reader.is_given`."""
        vectors = self.read(raw)[self.feature.tensor]
        return tf.reduce_any(vectors != 0, axis=-1)
