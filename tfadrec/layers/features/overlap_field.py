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
        a, b, either = (
            _distinct(codes) for codes in (first, second, _both(first, second))
        )
        common = a + b - either
        measure = self.feature["measure"]
        if measure == "count":
            value = tf.math.log1p(common)
        elif measure == "share":
            value = tf.math.divide_no_nan(common, a)
        else:
            value = tf.math.divide_no_nan(common, either)
        return tf.where((a > 0) & (b > 0), value, float("nan"))


def _both(first, second):
    """The entries of two lists as one, [..., L1 + L2]."""
    leading = tf.broadcast_dynamic_shape(
        tf.shape(first)[:-1], tf.shape(second)[:-1]
    )
    lists = [
        tf.broadcast_to(codes, tf.concat([leading, tf.shape(codes)[-1:]], 0))
        for codes in (first, second)
    ]
    return tf.concat(lists, -1)


def _distinct(codes):
    """How many values stand in each list, float32 [...]; 0 is none.

    Sorted, as a comparison of all pairs would be too much of a long list.
    """
    codes = tf.sort(codes, axis=-1)
    differs = codes[..., 1:] > codes[..., :-1]
    is_new = tf.concat([tf.ones_like(codes[..., :1], tf.bool), differs], -1)
    return tf.reduce_sum(tf.cast(is_new & (codes > 0), tf.float32), -1)
