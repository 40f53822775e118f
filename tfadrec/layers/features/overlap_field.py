"""What two lists of categories have in common."""

from tfadrec.core.door import tf
from tfadrec.layers.features.field import Field


class OverlapField(Field):
    """A measure of the values that two lists share, float32 [...].

    With n the distinct values of the first list that stand in the second, a and
    b the distinct values of each, `count` is log(1 + n), `share` n / a, and
    `jaccard` n / (a + b - n). It is nan, missing, where a list is empty.
    """

    is_scalar = True

    @staticmethod
    def columns(feature):
        return {}

    def call(self, columns):
        listed = self.feature.get("listed", [True, True])
        # A single category is a list of one.
        first, second = (
            columns[name] if is_list else columns[name][..., None]
            for name, is_list in zip(self.feature["of"], listed, strict=True)
        )
        same = first[..., :, None] == second[..., None, :]
        of_first, of_second = _distinct(first), _distinct(second)
        common = _count(tf.reduce_any(same, -1) & of_first)
        a, b = _count(of_first), _count(of_second)
        measure = self.feature["measure"]
        if measure == "count":
            value = tf.math.log1p(common)
        elif measure == "share":
            value = tf.math.divide_no_nan(common, a)
        else:
            value = tf.math.divide_no_nan(common, a + b - common)
        return tf.where((a > 0) & (b > 0), value, float("nan"))


def _distinct(codes):
    """Where a value stands for the first time, bool [..., L]; 0 is none."""
    places = tf.range(tf.shape(codes)[-1])
    same = codes[..., :, None] == codes[..., None, :]
    before = same & (places < places[:, None])
    return (codes > 0) & ~tf.reduce_any(before, -1)


def _count(mask):
    return tf.reduce_sum(tf.cast(mask, tf.float32), -1)
