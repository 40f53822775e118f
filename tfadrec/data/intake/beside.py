"""Columns that help on the way, beside those of the dataset."""

import numpy as np
import pyarrow as pa

from tfadrec.data.intake.spilled_table import array_of

#: What stands before the names of such columns; no column of a dataset begins
#: with it.
HELPER = "\0"
FIRST, SPREAD, BEGIN, END = (
    f"{HELPER}{name}" for name in ("first", "spread", "begin", "end")
)


def beside(batch: pa.Table, *others: pa.Table) -> pa.Table:
    """A batch, with what was found for its rows as columns that help."""
    for other in others:
        for name in other.column_names:
            batch = batch.append_column(f"{HELPER}{name}", other[name])
    return batch


def arrays_of(table: pa.Table, *names: str) -> list[np.ndarray]:
    """Numeric columns without missing values, in NumPy."""
    return [array_of(table, name) for name in names]
