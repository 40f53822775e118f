"""Many categories as one vector."""

from tfadrec.core.door import tf
from tfadrec.layers.features.category_field import CategoryField


class CategoriesField(CategoryField):
    """The mean of the values' embeddings: int32 [..., L] to [..., D].

    With weights w_l it is sum_l w_l e_l / sum_l |w_l|. Code 0 fills lists up
    and counts for nothing; a list without a known value is like a missing one
    and has the vector of code 0.
    """

    @staticmethod
    def columns(feature):
        name, length = feature["name"], feature["width"]
        columns = {name: ([length], "int32")}
        if feature.get("weighted"):
            columns[f"{name}_weights"] = ([length], "float32")
        return columns

    @staticmethod
    def shares(feature, columns):
        """How much each value counts for, [..., L], and of how much, [..., 1].

        Both float32; the second is 0 where no value is known.
        """
        name = feature["name"]
        weights = tf.cast(columns[name] > 0, tf.float32)
        if feature.get("weighted"):
            # A layer's inputs come in its compute dtype.
            weights *= tf.cast(columns[f"{name}_weights"], tf.float32)
        total = tf.reduce_sum(tf.abs(weights), -1, keepdims=True)
        return tf.math.divide_no_nan(weights, total), total

    def call(self, columns):
        shares, total = self.shares(self.feature, columns)
        vectors = self.look_up(columns[self.feature["name"]])
        mean = tf.einsum("...ld,...l->...d", vectors, shares)
        nothing = tf.cast(total <= 0, tf.float32) * self.missing
        return tf.cast(mean + nothing, self.compute_dtype)
