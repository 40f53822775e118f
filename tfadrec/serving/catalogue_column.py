"""A column of all ads of a bundle, by row."""

import numpy as np

from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset


def catalogue_column(
    name: str, dataset: Dataset, more: Catalogue | None
) -> np.ndarray:
    """The column of the catalogue's ads and of more, [N + 1 + M, ...].

    Args:
      name: of the column.
      dataset: gives the catalogue.
      more: ads that have the column, too.

    Returns:
      Row 0, that of the unknown ad, is zeros.
    """
    columns = [dataset.catalogue.columns[name]]
    if more is not None:
        columns.append(more.columns[name])
    nothing = np.zeros((1, *columns[0].shape[1:]), columns[0].dtype)
    return np.concatenate([nothing, *columns])
