"""A number as it is."""

from tfadrec.core.door import tf
from tfadrec.layers.features.field import Field


class NumberField(Field):
    """A standardised number, float32 [...], nan where it is missing."""

    is_scalar = True

    @staticmethod
    def columns(feature):
        return {feature["name"]: ([], "float32")}

    def call(self, columns):
        return tf.cast(columns[self.feature["name"]], tf.float32)
