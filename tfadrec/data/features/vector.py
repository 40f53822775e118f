"""Given floats, such as an embedding that was made elsewhere."""

import dataclasses
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.columns import (
    as_array,
    as_floats,
    as_lists,
    chunks_of,
    is_list,
)
from tfadrec.data.features.kind import Kind


class Vector(Kind):
    """A vector: a column of lists of numbers, or text with a separator.

    Vectors of another length than most of the column, and those with a number
    that is missing or not finite, cannot be read. A missing vector is all
    zeros.

    Encoded as float32 [n, width].
    """

    separated: ClassVar = True
    unreadable: ClassVar = (
        "are no vectors of the column's width and count as missing"
    )
    mend: ClassVar = (
        "Write its numbers with a point before decimals, and name the "
        '`separator` between them, such as `separator: ","`'
    )

    def parse(self, column, separator, settings):
        """See `Kind.parse`."""
        flat, lengths = _floats(column, separator)
        parents = np.repeat(np.arange(len(lengths)), lengths)
        bad = ~np.isfinite(flat)
        broken = np.bincount(parents[bad], minlength=len(lengths)) > 0
        filled = lengths[lengths > 0]
        width = int(np.bincount(filled).argmax()) if len(filled) else 0
        broken |= (lengths > 0) & (lengths != width)
        good = ~broken & (lengths > 0)
        values = flat[good[parents]]
        offsets = np.concatenate([[0], np.cumsum(good * width)])
        vectors = pa.LargeListArray.from_arrays(
            pa.array(offsets, pa.int64()), pa.array(values)
        )
        present = pa.array(np.where(good, np.arange(len(good)), -1))
        taken = pc.if_else(pc.equal(present, -1), None, present)
        return vectors.take(taken), broken

    def describe(self, feature, column, known):
        """See `Kind.describe`."""
        widths = (
            pc.max(pc.list_value_length(chunk)).as_py() or 0
            for chunk in chunks_of(column)
        )
        width = max(widths, default=0)
        if not width:
            raise InputError(
                "a vector column must hold vectors. Received: none in "
                f"{feature.name!r}. Check the column, or leave it out."
            )
        return dataclasses.replace(feature, width=int(width))

    def encode(self, column, feature):
        """See `Kind.encode`."""
        column = as_array(column)
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
        wrong = (lengths != feature.width) & (lengths > 0)
        if wrong.any():
            raise InputError(
                f"the vectors of {feature.name!r} must have {feature.width} "
                f"floats. Received: {int(lengths[wrong][0])} in "
                f"{int(wrong.sum())} rows. Mend the column."
            )
        vectors = np.zeros((len(column), feature.width), np.float32)
        flat = pc.fill_null(column.flatten(), np.nan).to_numpy()
        with np.errstate(over="ignore"):
            vectors[lengths > 0] = flat.reshape(-1, feature.width)
        vectors[~np.isfinite(vectors).all(axis=1)] = 0
        return {feature.tensor: vectors}

    def decode(self, columns, feature):
        """See `Kind.decode`."""
        return {feature.tensor: columns[feature.tensor]}


def _floats(
    column: pa.ChunkedArray, separator: str
) -> tuple[np.ndarray, np.ndarray]:
    """The entries of all lists, float32, and the length of each list."""
    kind = column.type
    if is_list(kind) and pa.types.is_primitive(kind.value_type):
        lists = as_array(column.cast(pa.large_list(kind.value_type)))
        lengths = pc.fill_null(pc.list_value_length(lists), 0)
    else:
        lists = as_lists(column, separator, keep_missing=True)
        lengths = pc.list_value_length(lists)
    flat = as_floats(pa.chunked_array([lists.flatten()]))
    with np.errstate(over="ignore"):
        return flat.astype(np.float32), lengths.to_numpy()
