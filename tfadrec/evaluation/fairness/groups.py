"""The groups that the values of a column make of rows."""

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.nearest import nearest
from tfadrec.data.dataset import Dataset

#: A value with less than that of the rows is one of the others.
_LEAST_SHARE = 0.01
#: Numbers are parted into so many groups of equally many rows.
_PARTS = 4
_MISSING, _OTHERS = "missing", "others"


def groups_of(
    dataset: Dataset, column: str
) -> tuple[list[str], NDArray[np.int64]]:
    """The groups of a column.

    A category's values are groups; those with less than 1 % of the rows are
    together `others`. Numbers make four groups of as many rows each. Rows of
    which nothing is known are `missing`.

    Args:
      dataset: the rows.
      column: a category or number of ads, users, requests or candidates, by its
        name, that of its tensor, or `entity.name`.

    Returns:
      The groups' names, and the group of each row, [n].

    Raises:
      InputError: where there is no such column.
    """
    feature = _feature(dataset, column)
    values = _values(dataset, feature)
    if values.dtype.kind == "f":
        names, codes = _of_numbers(dataset, feature, values)
    else:
        names = _names(feature)
        codes = values.astype(np.int64)
    counts = np.bincount(codes, minlength=len(names))
    often = counts >= max(1, _LEAST_SHARE * len(codes))
    often[0] |= counts[0] > 0
    kept = np.flatnonzero(often)
    place = np.full(len(names), len(kept))
    place[kept] = np.arange(len(kept))
    found = place[codes]
    shown = [names[n] for n in kept]
    return shown + [_OTHERS] * bool((found == len(kept)).any()), found


def _feature(dataset: Dataset, column: str) -> Feature:
    features = [
        f
        for f in dataset.schema.of("ad", "user", "context", "candidate")
        if f.kind in ("category", "number")
    ]
    found = [
        f
        for f in features
        if column in (f.name, f.tensor, f"{f.entity}.{f.name}")
    ]
    if len(found) != 1:
        known = [f"{f.entity}.{f.name}" for f in features]
        raise InputError(
            "fairness is measured by a category or number of ads, users, "
            f"requests or candidates, one of {', '.join(known) or 'none'}. "
            f"Received: {column!r}{', which are several' if found else ''}."
            f"{nearest([column], known)}"
        )
    return found[0]


def _values(dataset: Dataset, feature: Feature) -> NDArray:
    """Codes or encoded numbers of the rows, [n]; 0 or nan where missing."""
    rows = dataset.impressions
    if feature.entity == "user":
        return np.asarray(dataset.users[feature.tensor])[rows.users]
    if feature.entity != "ad":
        return np.asarray(rows.columns[feature.tensor])
    of_ads = np.asarray(dataset.catalogue.columns[feature.tensor])
    nothing = np.nan if of_ads.dtype.kind == "f" else 0
    return np.insert(of_ads, 0, nothing)[rows.ads]


def _names(feature: Feature) -> list[str]:
    """The name of each code."""
    if feature.bounds:
        bounds = [f"{bound:g}" for bound in feature.bounds]
        ends = zip(["", *bounds], [*bounds, ""], strict=True)
        parts = (f"{low} to {high}".strip() for low, high in ends)
        return [_MISSING, *parts]
    if feature.buckets:
        return [_MISSING, *(f"bucket {n}" for n in range(feature.buckets))]
    return [_MISSING, *feature.vocabulary]


def _of_numbers(
    dataset: Dataset, feature: Feature, values: NDArray
) -> tuple[list[str], NDArray[np.int64]]:
    """Four groups of numbers, named by their ends in the column's unit."""
    known = values[~np.isnan(values)]
    if not len(known):
        return [_MISSING], np.zeros(len(values), np.int64)
    shares = np.arange(1, _PARTS) / _PARTS
    edges = np.unique(np.quantile(known, shares, method="inverted_cdf"))
    codes = np.searchsorted(edges, values, side="left") + 1
    raw = edges.astype(np.float64) * feature.std + feature.mean
    if feature.log1p:
        raw = np.sign(raw) * np.expm1(np.abs(raw))
    ends = [f"{edge:.4g}" for edge in raw]
    names = [_MISSING, *(f"to {end}" for end in ends), f"above {ends[-1]}"]
    return names, np.where(np.isnan(values), 0, codes)
