"""Logistic regression on ids and categories."""

import numpy as np
from numpy.typing import NDArray

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.baselines.baseline import Baseline, parts_of
from tfadrec.evaluation.baselines.design import Design
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
        parts = parts_of(train)
        largest = [
            [int(column.max()) for column in _fields(train, part)]
            for part in parts
        ]
        self._sizes = [max(found) + 1 for found in zip(*largest, strict=True)]

        def read(part: slice) -> tuple[Design, Floats, Floats]:
            design = OneHot(_fields(train, part), self._sizes)
            return design, *self._labels(train, part)

        # A single part is read once, several anew in each pass.
        kept = [read(part) for part in parts] if len(parts) == 1 else None
        self._level, self._weights = fit_logistic(
            lambda: map(read, parts) if kept is None else kept, self.l2
        )
        return self

    def scores(self, dataset: Dataset) -> Floats:
        """Logits, float64 [n]."""
        found = np.empty(len(dataset))
        for part in parts_of(dataset):
            design = OneHot(_fields(dataset, part), self._sizes)
            found[part] = self._level + design.dot(self._weights)
        return found


def _fields(dataset: Dataset, part: slice) -> list[NDArray]:
    """The codes of every field of some rows, int [n] each."""
    rows = dataset.impressions
    users, ads = rows.users[part], rows.ads[part]
    fields = [users, ads]
    of_ads = dataset.catalogue.columns
    for feature in dataset.schema.features:
        if feature.kind != "category" and not feature.bounds:
            continue
        name = feature.tensor
        if feature.entity == "ad" and name in of_ads:
            unknown = np.zeros(1, of_ads[name].dtype)
            fields.append(np.append(unknown, of_ads[name])[ads])
        elif feature.entity == "user":
            fields.append(dataset.users[name][users])
        elif feature.entity in ("context", "candidate"):
            fields.append(rows.columns[name][part])
    return fields
