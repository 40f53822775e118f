"""A feature's values for each row of a log, whatever it is a feature of."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tfadrec.core.feature import Feature
from tfadrec.data.columns import as_array, rows_of

#: entity -> the id by which its rows are found in a log.
ID_OF = {"ad": "ad_id", "user": "user_id"}


def of_rows(
    feature: Feature,
    rows: pa.Table,
    tables: Mapping[str, Any],
    read: Callable[[pa.ChunkedArray, Feature], np.ndarray],
    missing: float,
) -> np.ndarray:
    """The values of a feature for some rows, [n].

    Args:
      feature: any.
      rows: [n], with typed columns of features by their keys, and ids.
      tables: by entity, the tables of ads and users where the rows are of a
        log; what has none is read off the rows.
      read: a typed column and its feature to numbers.
      missing: what a row has whose id the table lacks.
    """
    table = tables.get(feature.entity, rows)
    values = read(table[key_of(feature)], feature)
    if table is rows:
        return values
    name = ID_OF[feature.entity]
    places = rows_of(rows[name], as_array(table[name]))
    return np.append(np.array(missing, values.dtype), values)[places]


def key_of(feature: Feature) -> str:
    """The name of a feature's column until the dataset is written."""
    return f"{feature.entity}.{feature.name}"
