"""A category as a vector."""

from tfadrec.core.door import tf
from tfadrec.layers.features.field import Field
from tfadrec.ops import lookup

#: Below this many rows an embedding's gradient is summed into a dense one,
#: which is quicker; above it stays sparse, so that a step costs what it reads.
_SMALL = 2048


class CategoryField(Field):
    """Looks the code up in an embedding: int32 [...] to [..., D].

    Code 0, a missing or unknown value, starts at zero: at the average.
    """

    @staticmethod
    def columns(feature):
        return {feature["name"]: ([], "int32")}

    def build(self, input_shape=None):
        self._table = self._embedding()
        super().build(input_shape)

    @property
    def table(self):
        return self._table if self._borrowed is None else self._borrowed()

    @property
    def missing(self):
        # A slice of the embedding would have a dense gradient.
        return self.look_up(tf.zeros([], tf.int32))

    def call(self, columns):
        codes = columns[self.feature["name"]]
        return tf.cast(self.look_up(codes), self.compute_dtype)

    def look_up(self, codes):
        """Rows of the embedding, float32 [..., D]."""
        if self.table.shape[0] <= _SMALL:
            return lookup.gather_rows(self.table, codes)
        return lookup.rows_of(self.table, codes)
