"""The dataset of a run, and its rows to train, to validate and to test."""

import logging
import pathlib
from collections.abc import Mapping

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.split import split_by_time
from tfadrec.runs.check import check_sections
from tfadrec.runs.record import fingerprint
from tfadrec.training import version_1

_LOG = logging.getLogger(__name__)


def open_data(
    record: Mapping[str, str],
    data: str | pathlib.Path | None,
    is_old: bool = False,
) -> Dataset:
    """The dataset of a run, which must be as it was.

    Args:
      record: of the run.
      data: the folder, where it is not where it was.
      is_old: whether version 0.1.0 wrote the run.

    Raises:
      InputError: where it has changed.
    """
    place = record["data"] if data is None else str(data)
    dataset = open_dataset(place)
    found = (
        version_1.fingerprint(dataset, place)
        if is_old
        else fingerprint(dataset)
    )
    if record["fingerprint"] and found != record["fingerprint"]:
        what = "has changed since" if data is None else "is another one"
        mend = "Train again." if data is None else "Name that one."
        raise InputError(
            "a run is read with the dataset it was made with. Received: "
            f"{place}, which {what}. {mend}"
        )
    return dataset


def split_parts(
    dataset: Dataset, config: RunConfig
) -> tuple[Dataset, tuple[Dataset, Dataset, Dataset]]:
    """The dataset, and its rows to train, validate and test, as settings say.

    Raises:
      InputError: where the section `data` has a wrong setting.
    """
    check_sections({"data": config.data})
    settings = dict(config.data)
    length = settings.pop("history_length", dataset.history_length)
    dataset = dataset.with_history_length(length)
    if config.user_tower.get("ids") is not None:
        dataset = dataset.with_user_keys()
    shares = [name for name in ("valid", "test") if name in settings]
    if shares and dataset.impressions.splits is not None:
        # No error: runs that were made with them have to be read.
        _LOG.warning(
            "The dataset's own `split` says which rows are to train on; %s in "
            "`data` change nothing. Prepare it without `split` to use them.",
            " and ".join(shares),
        )
    return dataset, split_by_time(dataset, **settings)
