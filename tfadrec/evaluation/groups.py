"""The groups that the values of columns make of rows."""

import functools

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.nearest import nearest
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.derived_groups import (
    DERIVED,
    MISSING,
    Groups,
    quarters,
)

#: A value with less than that of the rows is one of the others.
_LEAST_SHARE = 0.01
_OTHERS = "others"
#: Between columns that are crossed.
_CROSS = "+"


def groups_of(dataset: Dataset, column: str) -> Groups:
    """The groups of a column, or of several that are crossed.

    A category's values are groups; those with less than 1 % of the rows are
    together `others`. Numbers make four groups of as many rows each. Rows of
    which nothing is known are `missing`.

    Args:
      dataset: the rows.
      column: a category or number of ads, users, requests or candidates, by its
        name, that of its tensor, or `entity.name`; or one of `DERIVED`; or
        several with + between them.

    Returns:
      The groups' names, and the group of each row, [n].

    Raises:
      InputError: where there is no such column.
    """
    columns = column.split(_CROSS)
    return functools.reduce(
        _crossed, (_often(*_of_column(dataset, c.strip())) for c in columns)
    )


def _of_column(dataset: Dataset, column: str) -> Groups:
    """All groups of one column, of which the first is what is missing."""
    feature = _feature(dataset, column)
    if feature is None:
        return DERIVED[column](dataset)
    values = _values(dataset, feature)
    if values.dtype.kind == "f":
        return quarters(values, functools.partial(_in_units, feature))
    return _names(feature), values.astype(np.int64)


def _often(names: list[str], codes: NDArray[np.int64]) -> Groups:
    """Those of many rows, and the others."""
    counts = np.bincount(codes, minlength=len(names))
    often = counts >= max(1, _LEAST_SHARE * len(codes))
    often[0] |= names[0] == MISSING and counts[0] > 0
    kept = np.flatnonzero(often)
    place = np.full(len(names), len(kept))
    place[kept] = np.arange(len(kept))
    found = place[codes]
    shown = [names[n] for n in kept]
    return shown + [_OTHERS] * bool((found == len(kept)).any()), found


def _crossed(one: Groups, other: Groups) -> Groups:
    names = [f"{a} & {b}" for a in one[0] for b in other[0]]
    return _often(names, one[1] * len(other[0]) + other[1])


def _feature(dataset: Dataset, column: str) -> Feature | None:
    """The feature of that name; None for what is derived."""
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
    if not found and column in DERIVED:
        return None
    if len(found) != 1:
        known = [*(f"{f.entity}.{f.name}" for f in features), *DERIVED]
        raise InputError(
            "rows are grouped by a category or number of ads, users, requests "
            f"or candidates, one of {', '.join(known)}. Received: {column!r}"
            f"{', which are several' if found else ''}."
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
        return [MISSING, *parts]
    if feature.buckets:
        return [MISSING, *(f"bucket {n}" for n in range(feature.buckets))]
    return [MISSING, *feature.vocabulary]


def _in_units(feature: Feature, edges: NDArray) -> NDArray:
    """Encoded numbers in the column's unit."""
    raw = edges * feature.std + feature.mean
    return np.sign(raw) * np.expm1(np.abs(raw)) if feature.log1p else raw
