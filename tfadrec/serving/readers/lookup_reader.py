"""A map from keys to numbers of a request."""

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.serving.readers.codes import Codes
from tfadrec.serving.readers.number_reader import standardised
from tfadrec.serving.readers.reader import Reader, first_entries


class LookupReader(Reader):
    """Keys and their numbers: `_keys` [..., L] and `_values` [..., L].

    string and float64 to int32 and float32 [..., W]. Entries whose key is "" or
    unknown, or whose number is missing, take no place.
    """

    is_list = True

    def __init__(self, feature: Feature) -> None:
        super().__init__(feature)
        self._codes = Codes(feature)

    def parts(self):
        """See `Reader.parts`."""
        return {"_keys": ([None], tf.string), "_values": ([None], tf.float64)}

    def read(self, raw):
        """See `Reader.read`."""
        raw, (keys, values) = self.together(raw), self._names()
        columns = {
            keys: self._codes(raw[keys]),
            values: standardised(raw[values], self.feature),
        }
        keep = (columns[keys] > 0) & ~tf.math.is_nan(columns[values])
        return first_entries(columns, keep, self.feature.width)

    def is_given(self, raw):
        """See `Reader.is_given`."""
        keys, _ = self._names()
        return tf.reduce_any(raw[keys] != "", axis=-1)

    def _names(self):
        name = self.feature.tensor
        return f"{name}_keys", f"{name}_values"
