"""A given vector."""

from tfadrec.core.door import tf
from tfadrec.layers.features.field import Field


class VectorField(Field):
    """A vector at unit length, [..., W]; a missing one is all zeros."""

    is_projected = True

    @staticmethod
    def columns(feature):
        return {feature["name"]: ([feature["width"]], "float32")}

    @property
    def size(self):
        return self.feature["width"]

    def call(self, columns):
        vectors = tf.cast(columns[self.feature["name"]], tf.float32)
        vectors = tf.math.l2_normalize(vectors, axis=-1)
        return tf.cast(vectors, self.compute_dtype)
