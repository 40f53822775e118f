"""A formula of numbers."""

from tfadrec.core.door import tf
from tfadrec.core.expression import LETTERS, parse
from tfadrec.layers.features.field import Field
from tfadrec.ops.expression import evaluate


class ExpressionField(Field):
    """asinh of a formula of numbers in their own units, float32 [...].

    It is nan, missing, where a number is, or the formula has no finite value.
    """

    is_scalar = True

    @staticmethod
    def columns(feature):
        return {}

    def build(self, input_shape=None):
        feature = self.feature
        self._tree = parse(feature["expression"], len(feature["of"]))
        super().build(input_shape)

    def call(self, columns):
        values = {}
        for letter, name, (mean, std, log1p) in zip(
            LETTERS, self.feature["of"], self.feature["scales"], strict=False
        ):
            value = tf.cast(columns[name], tf.float32) * std + mean
            if log1p:
                value = tf.sign(value) * tf.math.expm1(tf.abs(value))
            values[letter] = value
        found = evaluate(self._tree, values)
        found = tf.where(tf.math.is_finite(found), found, float("nan"))
        return tf.asinh(found)
