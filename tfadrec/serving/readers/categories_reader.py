"""A list of categories of a request."""

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.serving.readers.codes import Codes
from tfadrec.serving.readers.reader import Reader, first_entries


class CategoriesReader(Reader):
    """Texts in any number: string [..., L] to int32 [..., W].

    Where the list is weighted, float32 [..., L] `_weights` go with it. Entries
    that are "" or unknown, or whose weight is not finite, take no place, so
    lists may be filled up with "".
    """

    is_list = True

    def __init__(self, feature: Feature) -> None:
        super().__init__(feature)
        self._codes = Codes(feature)

    def parts(self):
        """See `Reader.parts`."""
        parts = {"": ([None], tf.string)}
        if self.feature.weighted:
            parts["_weights"] = ([None], tf.float32)
        return parts

    def read(self, raw):
        """See `Reader.read`."""
        raw, name = self.together(raw), self.feature.tensor
        columns = {name: self._codes(raw[name])}
        keep = columns[name] > 0
        if self.feature.weighted:
            weights = columns[f"{name}_weights"] = raw[f"{name}_weights"]
            keep &= tf.math.is_finite(weights)
        return first_entries(columns, keep, self.feature.width)

    def is_given(self, raw):
        """See `Reader.is_given`."""
        return tf.reduce_any(raw[self.feature.tensor] != "", axis=-1)
