"""A dataset by name or by folder."""

import pathlib

from tfadrec.core.fetch import cache_dir
from tfadrec.core.schema import VERSION
from tfadrec.data.dataset import Dataset
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.sources import prepare_movielens_100k


def load(name_or_path: str | pathlib.Path) -> Dataset:
    """Opens a dataset, and makes it first where it is one of the embedded.

    Args:
      name_or_path: `movielens-100k`, which is fetched and prepared once and
        kept in the cache, or a dataset folder.

    Raises:
      InputError: where it is neither.
      TfadrecError: where the download failed.
    """
    if str(name_or_path) != "movielens-100k":
        return open_dataset(name_or_path)
    # A dataset that an older version has cached lacks what is new.
    folder = cache_dir() / "datasets" / f"movielens-100k-v{VERSION}"
    if not (folder / "schema.json").is_file():
        prepare_movielens_100k(folder)
    return open_dataset(folder)
