"""Logistic regression on ids and categories."""

import numpy as np
from numpy.typing import NDArray

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.baseline import Baseline, some_of
from tfadrec.evaluation.baselines.logits import Floats
from tfadrec.evaluation.baselines.newton import fit_logistic
from tfadrec.evaluation.baselines.one_hot import OneHot


class LogisticRegression(Baseline):
    """Adds up a weight of the user, one of the ad, and one of each category.

    logit = b + sum_f w_f[code of field f], with the penalty l2 / 2 |w|^2.
    Fields are the ids of user and ad, and the features of ads, users, requests
    and candidates that are one code: categories, and numbers in buckets. What
    training has not seen adds nothing.

    Args:
      label: see `Baseline`.
      is_binary: likewise.
      l2: the penalty, > 0, on the sum of the rows' losses.
    """

    name = "logistic regression"

    def __init__(
        self, label: str = "clicked", is_binary: bool = True, l2: float = 1.0
    ) -> None:
        super().__init__(label, is_binary)
        if l2 <= 0:
            raise ValueError(f"`l2` must be > 0. Received: l2={l2}.")
        self.l2 = l2

    def fit(self, train: Dataset) -> "LogisticRegression":
        """Fits the weights, a few hundred passes over the rows at most."""
        some = some_of(train)
        codes = _fields(some)
        self._sizes = [int(column.max()) + 1 for column in codes]
        # Only codes that are there have a weight to find.
        there = [np.unique(column, return_inverse=True) for column in codes]
        design = OneHot(
            [places for _, places in there], [len(own) for own, _ in there]
        )
        labels, counts = self._labels(some)
        self._level, weights = fit_logistic(design, labels, counts, self.l2)
        ends = np.cumsum(self._sizes)
        self._weights = np.zeros(ends[-1])
        begins = ends - self._sizes
        known = [own + b for (own, _), b in zip(there, begins, strict=True)]
        self._weights[np.concatenate(known)] = weights
        return self

    def scores(self, dataset: Dataset) -> Floats:
        """Logits, float64 [n]."""
        design = OneHot(_fields(dataset), self._sizes)
        return self._level + design.dot(self._weights)


def _fields(dataset: Dataset) -> list[NDArray]:
    """The codes of every field, int [n] each."""
    rows = dataset.impressions
    fields = [rows.users, rows.ads]
    of_ads = dataset.catalogue.columns
    for feature in dataset.schema.features:
        if feature.kind != "category" and not feature.bounds:
            continue
        name = feature.tensor
        if feature.entity == "ad" and name in of_ads:
            unknown = np.zeros(1, of_ads[name].dtype)
            fields.append(np.append(unknown, of_ads[name])[rows.ads])
        elif feature.entity == "user":
            fields.append(dataset.users[name][rows.users])
        elif feature.entity in ("context", "candidate"):
            fields.append(rows.columns[name])
    return fields
