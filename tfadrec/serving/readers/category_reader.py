"""A category of a request."""

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.serving.readers.codes import Codes
from tfadrec.serving.readers.reader import Reader


class CategoryReader(Reader):
    """A text, "" where it is missing: string [...] to int32 [...]."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(feature)
        self._codes = Codes(feature)

    def parts(self):
        """See `Reader.parts`."""
        return {"": ([], tf.string)}

    def read(self, raw):
        """See `Reader.read`."""
        name = self.feature.tensor
        return {name: self._codes(raw[name])}

    def is_given(self, raw):
        """See `Reader.is_given`."""
        return raw[self.feature.tensor] != ""
