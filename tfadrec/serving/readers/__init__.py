"""Raw values of a request as what a model reads, one file per kind.

All of it is made of core TensorFlow ops. It does with the values of a request
what `tfadrec.data.features` does with the columns of files, and the two agree.
"""

from collections.abc import Iterable

from tfadrec.core.feature import Feature
from tfadrec.data.features import with_columns
from tfadrec.serving.readers.categories_reader import CategoriesReader
from tfadrec.serving.readers.category_reader import CategoryReader
from tfadrec.serving.readers.lookup_reader import LookupReader
from tfadrec.serving.readers.number_reader import NumberReader
from tfadrec.serving.readers.reader import Reader, as_leading
from tfadrec.serving.readers.vector_reader import VectorReader

#: The reader of each kind of feature that is not derived from others.
READERS: dict[str, type[Reader]] = {
    "category": CategoryReader,
    "categories": CategoriesReader,
    "number": NumberReader,
    "vector": VectorReader,
    "lookup": LookupReader,
    "rate": NumberReader,
    "count": NumberReader,
}


def readers_of(features: Iterable[Feature]) -> list[Reader]:
    """A reader for each feature that is not derived."""
    return [READERS[f.kind](f) for f in with_columns(features)]


__all__ = ["READERS", "Reader", "as_leading", "readers_of"]
