"""Labels and weights that contradict each other, or outdo all others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.finding import Finding

#: Rows with something in a column, from which on one that has more than all of
#: the others is odd.
_SOME = 20


def outdone(dataset: Dataset) -> Iterator[Finding]:
    """Rows whose label or weight is larger than those of all others together.

    A squared error, a likelihood or a mean is then that of one row.
    """
    rows = dataset.impressions
    columns = dict(rows.labels)
    if rows.weights is not None:
        columns["weight"] = rows.weights
    for name, values in columns.items():
        found = _largest(values)
        if found is not None:
            row, share = found
            yield Finding(
                "outdone",
                "warning",
                name,
                "one row has more of it than all others together",
                f"{values[row]:g} in row {row}, {100 * share:.1f} % of the sum "
                f"of {len(values)} rows",
                "Correct that row, or leave it out with `where`.",
            )


def _largest(values: NDArray) -> tuple[int, float] | None:
    """The row with most of a column, and its share, where that is over half."""
    sizes = np.abs(values.astype(np.float64))
    row = int(np.argmax(sizes)) if len(sizes) else 0
    if np.count_nonzero(sizes) < _SOME or sizes[row] <= sizes.sum() / 2:
        return None
    return row, float(sizes[row] / sizes.sum())


def unclicked_conversions(dataset: Dataset) -> Iterator[Finding]:
    """Conversions of rows that were not clicked.

    Rankers of both labels take a conversion for one that follows on a click.
    """
    labels = dataset.impressions.labels
    if not {"clicked", "converted"} <= set(labels):
        return
    converted = labels["converted"] > 0
    odd = np.count_nonzero(converted & (labels["clicked"] == 0))
    if odd:
        yield Finding(
            "unclicked_conversion",
            "warning",
            "converted",
            "rows were converted that were not clicked",
            f"{odd} of {np.count_nonzero(converted)} conversions",
            "With `tasks: [clicked, converted]` a conversion follows on a "
            "click: correct the labels, or train `tasks: [converted]`.",
        )
