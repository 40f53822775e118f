"""What a map has for an ad's category."""

from tfadrec.core.door import tf
from tfadrec.layers.features.field import Field


class LookupField(Field):
    """The number that a map has for a code, float32 [...]; nan for none.

    Of a key that stands in the map twice the first counts.
    """

    is_scalar = True

    @staticmethod
    def columns(feature):
        name, length = feature["name"], feature["width"]
        return {
            f"{name}_keys": ([length], "int32"),
            f"{name}_values": ([length], "float32"),
        }

    def call(self, columns):
        name = self.feature["name"]
        keys = columns[f"{name}_keys"]
        values = tf.cast(columns[f"{name}_values"], tf.float32)
        code = columns[self.feature["of"][0]][..., None]
        hit = tf.cast((keys == code) & (keys > 0), tf.float32)  # [..., L]
        first = hit * tf.cast(tf.cumsum(hit, -1) <= 1, tf.float32)
        found = tf.reduce_sum(first * values, -1)
        return tf.where(tf.reduce_any(hit > 0, -1), found, float("nan"))
