"""Until when ads are given, and the moment of a request."""

import pathlib
from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.moment_text import LATEST
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.retrieval import FOREVER
from tfadrec.serving.input_names import input_names
from tfadrec.serving.request_reader import Specs

#: The input with the moment, and that of new ads with theirs.
NOW, EXPIRES = "now_seconds", "expires_seconds"


def expiry_specs(dataset: Dataset) -> Specs:
    """The input that tells the moment, [B], where ads expire."""
    if dataset.catalogue.expires is None:
        return {}
    return {NOW: tf.TensorSpec([None], tf.int64, NOW)}


def ads_expire(version: pathlib.Path) -> bool:
    """Whether the ads of a bundle's version do.

    Args:
      version: its folder.
    """
    return NOW in input_names(version)


def moment(request: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """At which moment ads are asked for, int64 [B], seconds since 1970.

    The server's clock tells it where `now_seconds` is 0, or no moment between
    1970 and `LATEST`. Where ads do not expire it is 0, when all of them are
    there that were not removed.

    Args:
      request: with `user_id` [B], and `now_seconds` where ads expire.
    """
    if NOW not in request:
        return tf.zeros(tf.shape(request["user_id"]), tf.int64)
    now = request[NOW]
    is_told = (now > 0) & (now < LATEST)
    return tf.where(is_told, now, tf.cast(tf.timestamp(), tf.int64))


def expiry_column(dataset: Dataset, more: Catalogue | None) -> np.ndarray:
    """From when on ads are given no more, int64 [N + 1 + M], by row."""
    columns = [np.zeros(1, np.int64)]
    for ads in (dataset.catalogue, more):
        if ads is not None:
            never = np.full(len(ads), FOREVER)
            columns.append(never if ads.expires is None else ads.expires)
    return np.concatenate(columns)
