"""The columns of a dataset, each with its value in every row."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.feature import Feature
from tfadrec.data.dataset import Dataset


def columns_of_rows(
    dataset: Dataset,
) -> Iterator[tuple[Feature, str, NDArray]]:
    """Features of ads, users, requests and candidates, in encoded form.

    Args:
      dataset: any.

    Yields:
      The feature, its name as `entity.name`, and its values [n], codes with 0
      for unknown, or numbers with nan. Kinds with several values are left out.
    """
    rows = dataset.impressions
    for feature in dataset.schema.of("ad", "user", "context", "candidate"):
        name = f"{feature.entity}.{feature.name}"
        if feature.entity == "ad":
            table = dataset.catalogue.columns.get(feature.tensor)
            if table is None or np.ndim(table) != 1:
                continue
            unknown = np.zeros(1, table.dtype)
            if table.dtype.kind == "f":
                unknown[:] = np.nan
            values = np.concatenate([unknown, table])[rows.ads]
        elif feature.entity == "user":
            values = np.asarray(dataset.users.get(feature.tensor, ()))
            values = (
                values[rows.users]
                if values.ndim == 1 and len(values)
                else values
            )
        else:
            values = np.asarray(rows.columns.get(feature.tensor, ()))
        if values.ndim == 1 and len(values) == len(dataset):
            yield feature, name, values


def codes(values: NDArray) -> NDArray[np.int64]:
    """Any values as integers from 0, equal ones alike, nan as one value."""
    return np.unique(values, return_inverse=True)[1].reshape(-1)
