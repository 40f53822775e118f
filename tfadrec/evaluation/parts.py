"""Which rows a task is measured on, and the slices of a dataset."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.blocks import blocks
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.groups import groups_of
from tfadrec.models.ad_ranker import CONVERTED_IF_CLICKED

#: An ad with fewer training impressions is cold.
COLD_BELOW = 10


def labels_of(
    dataset: Dataset, task: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A task's labels [n], and the impressions [n] that they are known of.

    Raises:
      InputError: where the dataset lacks the label.
    """
    labels = dataset.impressions.labels
    after_a_click = task == CONVERTED_IF_CLICKED
    needed = ("converted", "clicked") if after_a_click else (task,)
    for name in needed:
        if name not in labels:
            raise InputError(
                "Every task must be a label of the dataset. Received: task "
                f"{name!r}, labels {list(labels)}. Evaluate on a dataset with "
                "that label."
            )
    rows = np.ones(len(dataset), bool)
    if after_a_click:
        rows = np.asarray(labels["clicked"]) == 1
    return np.asarray(labels[needed[0]]), rows


def slices_of(
    dataset: Dataset, train: Dataset | None, columns: Sequence[str] = ()
) -> dict[str, NDArray[np.bool_]]:
    """The slices by name, bool [n] each; see `evaluate`.

    Raises:
      InputError: where the two datasets have different catalogues, or there is
        no such column.
    """
    parts = {}
    if train is not None:
        if not np.array_equal(
            np.asarray(train.catalogue.ad_ids),
            np.asarray(dataset.catalogue.ad_ids),
        ):
            raise InputError(
                "`train` and `dataset` must share one catalogue. Received: "
                f"{len(train.catalogue.ad_ids)} and "
                f"{len(dataset.catalogue.ad_ids)} ads that differ. Split both "
                "from one dataset."
            )
        cold = _cold(dataset.impressions.ads, train.impressions.ads)
        parts = {"cold_ads": cold, "warm_ads": ~cold}
    empty = np.asarray(dataset.impressions.history_lengths) == 0
    parts |= {"empty_history": empty, "with_history": ~empty}
    for column in columns:
        names, groups = groups_of(dataset, column)
        for place, name in enumerate(names):
            parts[f"{column}={name}"] = groups == place
    return parts


def _cold(
    ads: NDArray[np.int32], shown: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Whether the ad of each row is unknown, or was shown a few times."""
    size = int(max(ads.max(initial=0), shown.max(initial=0))) + 1
    times = np.zeros(size, np.int64)
    for part in blocks(len(shown)):  # NumPy makes 64 bits of each
        times += np.bincount(shown[part], minlength=size)
    is_cold = times < COLD_BELOW
    is_cold[0] = True
    found = np.empty(len(ads), bool)
    for part in blocks(len(ads)):
        found[part] = is_cold[ads[part]]
    return found
