"""Feature specs out of the columns that they describe."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.schema import Feature


def categorical(name: str, column: pa.Array | pa.ChunkedArray) -> Feature:
    """A categorical feature that knows every value of the column, sorted."""
    values = pc.unique(column.cast(pa.string())).to_pylist()
    return Feature(
        name,
        "categorical",
        vocabulary=tuple(sorted(v for v in values if v is not None)),
    )


def numeric(name: str, column: pa.Array | pa.ChunkedArray) -> Feature:
    """A numeric feature with the mean and deviation of the known values."""
    values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    known = values[np.isfinite(values)]
    if not len(known):
        return Feature(name, "numeric")
    return Feature(
        name,
        "numeric",
        mean=float(known.mean()),
        std=float(known.std()) or 1.0,
    )
