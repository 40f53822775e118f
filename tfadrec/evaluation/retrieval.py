"""How much of what users click a retriever finds in the whole catalogue."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.metrics import retrieval
from tfadrec.models import AdRetriever
from tfadrec.models.catalogue_scores import Scores, catalogue_scores

#: Rows that are scored at a time, and scores of them.
_BATCH, _SCORES = 256, 1 << 25


@takes(retriever="retriever", dataset="dataset", train="dataset")
def evaluate_retrieval(
    retriever: AdRetriever,
    dataset: Dataset,
    train: Dataset,
    *,
    ks: Sequence[int] = (10, 50),
) -> dict[str, dict[str, float]]:
    """Ranks the catalogue for every click, beside what needs no model.

    Each click of the dataset is a row, and the ad that was clicked is to be
    found among all ads of the catalogue, those of the history included.

    - `popularity`: the number of an ad's clicks in training.
    - `item_to_item`: the sum over the history, but for what was skipped, of the
      cosine of two ads, as vectors of the users who clicked them in training.

    Args:
      retriever: built.
      dataset: the rows to measure, at least one with a click on a known ad.
      train: the rows that the retriever was trained on.
      ks: how many ads are retrieved.

    Returns:
      `retriever` and the baselines -> `recall@k` and `ndcg@k` -> figure; see
      `metrics.retrieval`.

    Raises:
      InputError: where no row has a click on a known ad.
    """
    impressions = dataset.impressions
    is_click = impressions.labels["clicked"] > 0
    rows = np.flatnonzero(is_click & (impressions.ads > 0))
    if not len(rows):
        raise InputError(
            "retrieval is measured by clicks on ads of the catalogue. "
            f"Received: none in {len(dataset)} rows. Give other rows."
        )
    contenders: dict[str, Scores] = {
        "retriever": catalogue_scores(retriever),
        "popularity": _of_popularity(train),
        "item_to_item": _of_item_to_item(train),
    }
    found: dict[str, list[Any]] = {name: [] for name in contenders}
    for inputs in _batches(dataset.select(rows)):
        for name, scores_of in contenders.items():
            # Row 0, the unknown ad, is no ad to be found.
            scores = scores_of(inputs)[:, 1:]
            relevant = inputs["candidate_ads"] - 1
            found[name].append(retrieval.places(scores, relevant))
    return {name: _metrics(parts, ks) for name, parts in found.items()}


def retrieval_line(
    found: Mapping[str, Mapping[str, float]], ads: int, k: int
) -> str:
    """Where a retriever stands beside what needs no model, in a line or two.

    Args:
      found: as `evaluate_retrieval` gives it, with this k.
      ads: how many there are.
      k: how many are retrieved.
    """
    told = {who.replace("_", "-"): v[f"recall@{k}"] for who, v in found.items()}
    own = told["retriever"]
    told["chance"] = min(1.0, k / ads)
    figures = ", ".join(f"{who} {value:.4f}" for who, value in told.items())
    line = f"Recall of {k} of {ads:,} ads: {figures}"
    ahead = [who for who in told if who != "retriever" and told[who] >= own]
    if ahead:
        line += f"\nThe retriever is not ahead of {' and '.join(ahead)}"
    return line


def _metrics(parts, ks) -> dict[str, float]:
    higher, equal = map(np.concatenate, zip(*parts, strict=True))
    metrics = {"recall": retrieval.recall, "ndcg": retrieval.ndcg}
    return {
        f"{name}@{k}": metric(higher, equal, k)
        for name, metric in metrics.items()
        for k in ks
    }


def _batches(dataset: Dataset) -> Iterator[dict[str, np.ndarray]]:
    rows = max(1, min(_BATCH, _SCORES // (1 + len(dataset.catalogue))))
    for inputs, *_ in dataset.batches(rows):
        yield {name: values.numpy() for name, values in inputs.items()}


def _of_popularity(train: Dataset) -> Scores:
    clicks = np.asarray(_clicks(train).sum(axis=0)).ravel()
    return lambda inputs: np.tile(clicks, (len(inputs["user_id"]), 1))


def _of_item_to_item(train: Dataset) -> Scores:
    clicks = _clicks(train)
    clicks.data[:] = 1
    lengths = np.sqrt(np.asarray(clicks.sum(axis=0)).ravel())
    units = clicks @ scipy.sparse.diags(1 / np.maximum(lengths, 1)).tocsr()

    def scores(inputs):
        ads = inputs["history_ads"]
        is_own = np.arange(ads.shape[1]) < inputs["history_length"][:, None]
        if train.schema.skipped:
            is_own &= inputs["history_events"] != train.schema.skipped
        rows, places = np.nonzero(is_own & (ads > 0))
        history = scipy.sparse.csr_matrix(
            (np.ones(len(rows)), (rows, ads[rows, places])),
            (len(ads), units.shape[1]),
        )
        return ((history @ units.T) @ units).toarray()

    return scores


def _clicks(train: Dataset) -> scipy.sparse.csr_matrix:
    """How often a user clicked an ad, [users + 1, N + 1]."""
    impressions = train.impressions
    shape = (len(train.user_ids) + 1, len(train.catalogue) + 1)
    clicks = (impressions.labels["clicked"] > 0).astype(np.float64)
    places = (impressions.users, impressions.ads)
    matrix = scipy.sparse.csr_matrix((clicks, places), shape)
    matrix.eliminate_zeros()
    return matrix
