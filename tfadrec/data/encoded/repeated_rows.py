"""Rows with weights that stand in a log more than once."""

import numpy as np

from tfadrec.data.encoded.request_contexts import begins_another
from tfadrec.data.impressions import Impressions

#: In the place of a missing number; a float32 is never as large.
_MISSING = 1e39


def repeated_rows(impressions: Impressions) -> int:
    """How many rows are as an earlier one in all that models read of them.

    Args:
      impressions: rows, all those of a request. Where none have weights it
        is 0: such rows come again where an ad is shown again.
    """
    if impressions.weights is None:
        return 0
    keys = (
        impressions.requests,
        impressions.users,
        impressions.ads,
        impressions.times,
        impressions.weights,
        *impressions.labels.values(),
    )
    order = np.lexsort(keys)
    group = np.cumsum(begins_another([key[order] for key in keys])) - 1
    alike = (np.bincount(group) > 1)[group]
    rows = order[alike]
    if not len(rows):
        return 0
    columns = [
        column[rows].reshape(len(rows), -1)
        for column in impressions.columns.values()
    ]
    table = np.column_stack([group[alike], *columns]).astype(np.float64)
    table = np.nan_to_num(table, nan=_MISSING)
    return len(rows) - len(np.unique(table, axis=0))
