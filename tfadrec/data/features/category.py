"""One value: a vocabulary's or a hash bucket's code."""

import dataclasses
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import as_text, chunks_of
from tfadrec.data.features import vocabulary
from tfadrec.data.features.kind import Kind


class Category(Kind):
    """A category: any plain column, read as text; empty text is missing.

    Settings: `buckets`, hash buckets in place of a vocabulary; `min_count`, how
    often a value has to be seen, so that rarer ones are the unknown value.

    Encoded as int32 [n], 0 where missing or unknown.
    """

    settings: ClassVar = vocabulary.SETTINGS
    references: ClassVar = ("share",)

    def parse(self, column, separator, settings):
        """See `Kind.parse`."""
        text = as_text(column)
        empty = pc.equal(text, "")
        readable = np.zeros(len(text), bool)
        return pc.if_else(empty, pa.scalar(None, pa.string()), text), readable

    def describe(self, feature, column, known, *, buckets=0, min_count=1):
        """See `Kind.describe`."""
        found = vocabulary.described(
            feature, lambda: chunks_of(column), known, buckets, min_count
        )
        return dataclasses.replace(feature, **found)

    def encode(self, column, feature):
        """See `Kind.encode`."""
        column = column.cast(pa.string())
        return {feature.tensor: vocabulary.codes(column, feature)}

    def decode(self, columns, feature):
        """See `Kind.decode`."""
        codes = columns[feature.tensor]
        return {feature.tensor: vocabulary.names(codes, feature)}
