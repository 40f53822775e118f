"""A formula of numbers."""

from tfadrec.core.door import tf
from tfadrec.core.expression import LETTERS, parse
from tfadrec.layers.features.field import Field
from tfadrec.ops.expression import evaluate, in_units


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
        values = {
            letter: in_units(columns[name], mean, std, bool(log1p))
            for letter, name, (mean, std, log1p) in zip(
                LETTERS,
                self.feature["of"],
                self.feature["scales"],
                strict=False,
            )
        }
        found = tf.cast(tf.asinh(evaluate(self._tree, values)), tf.float32)
        return tf.where(tf.math.is_finite(found), found, float("nan"))
