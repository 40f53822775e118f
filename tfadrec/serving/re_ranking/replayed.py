"""Rows as lists of one ad that is read once more, and what that gives."""

from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.dataset import Dataset
from tfadrec.serving.re_ranking.re_ranking import ReRanking
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.requests import Request, as_slates, plain_choice, replay
from tfadrec.serving.scores import Scores


def ask(dataset: Dataset, rows: np.ndarray, specs: Specs) -> Request:
    """A request of `recommend_from` for the ad of each row.

    Args:
      dataset: any dataset.
      rows: int [n], which of its impressions; of known ads.
      specs: the inputs of the order and of expiry, by which nothing is asked.
    """
    request = as_slates(dataset.schema, replay(dataset, rows))
    bids = {"bids": np.ones([len(rows), 1], np.float32)}
    return request | plain_choice(dataset, len(rows), 1, specs) | bids


def expected(
    re_ranking: ReRanking,
    scores: Scores,
    inputs: Mapping[str, tf.Tensor],
    corrected: Mapping[str, tf.Tensor],
) -> dict[str, tf.Tensor]:
    """What is to be answered, by the models in Python.

    Args:
      re_ranking: see `ReRanking`.
      scores: of the ranker.
      inputs: the data contract's dict of the rows.
      corrected: the ranker's corrected logits of them, [n] by name.

    Returns:
      As from `Scores.answer`, float32 [n, 1].
    """
    read = re_ranking.reader(inputs)["clicked"]
    mixture = re_ranking.mixture
    logits = scores.with_clicks(
        corrected, lambda z: mixture.mixed(mixture.alone(z), read)
    )
    return {k: v[:, None] for k, v in scores.answer(logits).items()}
