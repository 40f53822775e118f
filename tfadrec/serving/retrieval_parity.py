"""Whether a bundle retrieves as the retriever that it was made of."""

from collections.abc import Mapping

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRetriever
from tfadrec.models.catalogue_scores import catalogue_scores
from tfadrec.serving.ad_record import Ids
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.requests import (
    Request,
    plain_choice,
    without_candidates,
)

#: How many ads are asked for.
_K = 10


def ask(dataset: Dataset, request: Request, filters: Specs) -> Request:
    """A request of `retrieve` for the users of one of `serving_default`.

    Args:
      dataset: gives the schema and the type of ids.
      request: leading axis [n].
      filters: the inputs that filter, and of expiry; nothing is asked of
        these.
    """
    user = without_candidates(dataset.schema, request)
    return user | plain_choice(dataset, len(user["user_id"]), _K, filters)


class RetrievalParity:
    """What the retriever says of the users of some rows.

    Args:
      retriever: a built retriever.
      dataset: any dataset.
      rows: int [n] of its impressions.
      removed: ids of ads that no answer may have.

    Attributes:
      overlap: the least share so far of the ten best ads of users that an
        answer had, which an index may miss.
    """

    def __init__(
        self,
        retriever: AdRetriever,
        dataset: Dataset,
        rows: np.ndarray,
        removed: Ids = (),
    ) -> None:
        some = dataset.read_by(retriever).select(rows)
        inputs, *_ = next(iter(some.batches(len(rows))))
        plain = {name: values.numpy() for name, values in inputs.items()}
        self._scores = catalogue_scores(retriever)(plain)
        self._ids = dataset.catalogue.ad_ids.astype(str)
        is_gone = np.isin(self._ids, [*map(str, removed)])
        self._scores[:, 1:][:, is_gone] = -np.inf
        self._stay = np.count_nonzero(~is_gone)
        self.overlap = 1.0

    def difference(self, answered: Mapping[str, np.ndarray]) -> float:
        """How far the scores of the ads are from those of the retriever.

        Args:
          answered: `ad_ids` and `scores`, [n, K], texts as `replay_bundle`
            writes them. Ads that the catalogue does not have are passed over.

        Returns:
          The largest difference as a share of max(1, |score|); infinity where
          the ads are not in order, or a removed one is among them.
        """
        ids, scores = answered["ad_ids"], answered["scores"]
        if ids.dtype.kind == "S":
            # Without the full stop that kept NULs at the end.
            ids = np.char.decode(ids, "utf-8").astype(object)
            ids = np.frompyfunc(lambda text: text[:-1], 1, 1)(ids)
        order = np.argsort(self._ids)
        ids = ids.astype(str)
        places = np.searchsorted(self._ids, ids, sorter=order)
        places = order[np.minimum(places, len(order) - 1)]
        rows = np.where(self._ids[places] == ids, 1 + places, 0)
        expected = np.take_along_axis(self._scores, rows, axis=1)
        if (scores[:, 1:] > scores[:, :-1]).any():
            return np.inf
        if np.isneginf(expected[rows > 0]).any():  # it was removed
            return np.inf
        # Of no ad the score is -inf.
        scores = np.where(rows > 0, scores, expected)
        gaps = np.abs(scores - expected) / np.maximum(1, np.abs(expected))
        k = min(ids.shape[1], self._stay)
        best = 1 + np.argsort(-self._scores[:, 1:], axis=1)[:, :k]
        found = [np.isin(b, r).mean() for b, r in zip(best, rows, strict=True)]
        self.overlap = min(self.overlap, float(np.mean(found)))
        return float(gaps.max(initial=0.0))
