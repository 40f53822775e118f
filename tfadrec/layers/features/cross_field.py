"""Two or three categories together as a vector."""

from tfadrec.core.door import tf
from tfadrec.layers.features.category_field import CategoryField
from tfadrec.ops import hashing


class CrossField(CategoryField):
    """Looks the hash of several codes up in an embedding: to [..., D].

    Where one of the codes is 0, so is the cross. Pairs may share a bucket.
    """

    @staticmethod
    def columns(feature):
        return {}

    def call(self, columns):
        codes = [columns[name] for name in self.feature["of"]]
        codes = hashing.cross(codes, self.feature["num_codes"] - 1)
        return tf.cast(self.look_up(codes), self.compute_dtype)
