"""A dataset whose ads expire."""

import dataclasses

from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.sources.expiry_times import expiry_times


@takes(dataset="dataset")
def with_expiry(dataset: Dataset, column: str) -> Dataset:
    """The dataset, with the times from which on ads are not to be found.

    Args:
      dataset: of a folder.
      column: of its `ads.parquet`; see `expiry_times`. No model reads it,
        unless it is a feature as well.

    Raises:
      InputError: where there is no such column, or a time cannot be read.
    """
    assert dataset.origin is not None
    ads = DatasetFiles(dataset.origin.path).table("ads")
    times = expiry_times(ads, column, f"{dataset.origin.path}/ads.parquet")
    catalogue = dataclasses.replace(dataset.catalogue, expires=times)
    return dataclasses.replace(dataset, catalogue=catalogue)
