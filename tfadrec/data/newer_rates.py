"""Rates and counts of another dataset, for a model of this one."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.columns import rows_of
from tfadrec.data.features import counted
from tfadrec.data.rate_table import RateTable

if TYPE_CHECKING:
    from tfadrec.data.dataset import Dataset


def newer_rates(
    dataset: "Dataset", newer: "Dataset", ad_ids: np.ndarray
) -> dict[str, RateTable]:
    """What rates and counts are at the end of another log.

    Args:
      dataset: of the model.
      newer: of the other log, prepared with `--like` the first one.
      ad_ids: [N] of the model's ads, row 1 on; other ads are left out, and so
        are users whom `dataset` does not have.

    Returns:
      A table for each rate and count, by its tensor, in the rows of `dataset`.

    Raises:
      InputError: where the features of the two are not the same.
    """
    features = dataset.schema.features
    if newer.schema.features != features or not counted(features):
        raise InputError(
            "rates come from a dataset with the same features, some of them "
            "rates or counts. Received: other ones. Prepare it with `--like`."
        )
    rows = {
        "ad_id": rows_of(pa.array(newer.catalogue.ad_ids), ad_ids),
        "user_id": rows_of(pa.array(newer.user_ids), dataset.user_ids),
    }
    tables = {}
    for feature in counted(features):
        table = newer.rates[feature.tensor]
        keys = table.keys.copy()
        for place, name in enumerate(feature.ids):
            keys[:, place] = np.append(0, rows[name])[keys[:, place]]
        known = np.flatnonzero((keys > 0).all(axis=1))
        order = known[np.lexsort(keys[known].T[::-1])]
        tables[feature.tensor] = dataclasses.replace(
            table, keys=keys[order], values=table.values[order]
        )
    return tables
