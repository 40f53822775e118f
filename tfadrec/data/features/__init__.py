"""Features in files: raw columns to what a model reads, one file per kind."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from tfadrec.core.feature import Feature
from tfadrec.data.features.categories import Categories
from tfadrec.data.features.category import Category
from tfadrec.data.features.count import Count
from tfadrec.data.features.cross import Cross
from tfadrec.data.features.expression import Expression
from tfadrec.data.features.kind import Columns, Kind, missing_like
from tfadrec.data.features.lookup import Lookup
from tfadrec.data.features.number import Number
from tfadrec.data.features.overlap import Overlap
from tfadrec.data.features.rate import Rate
from tfadrec.data.features.vector import Vector

#: Every kind of feature by its name.
KINDS: dict[str, Kind] = {
    "category": Category(),
    "categories": Categories(),
    "number": Number(),
    "vector": Vector(),
    "cross": Cross(),
    "lookup": Lookup(),
    "overlap": Overlap(),
    "rate": Rate(),
    "count": Count(),
    "expression": Expression(),
}


def encode(
    table: pa.Table | Mapping[str, pa.Array], features: Iterable[Feature]
) -> Columns:
    """The columns of some features as models read them.

    Args:
      table: has a typed column for each feature that is not derived, under
        `Feature.column`.
      features: of one entity.

    Returns:
      Arrays [n, ...] by the names of their tensors.
    """
    columns: Columns = {}
    for feature in with_columns(features):
        columns |= KINDS[feature.kind].encode(table[feature.column], feature)
    return columns


def decode(columns: Columns, features: Iterable[Feature]) -> Columns:
    """What a request would hold, for `encode` to give these columns."""
    raw: Columns = {}
    for feature in with_columns(features):
        raw |= KINDS[feature.kind].decode(columns, feature)
    return raw


def counted(features: Iterable[Feature]) -> list[Feature]:
    """The features whose columns are worked out of impressions."""
    return [f for f in features if KINDS[f.kind].counted]


def with_columns(features: Iterable[Feature]) -> list[Feature]:
    """The features that have columns of their own: those not derived."""
    return [f for f in features if not KINDS[f.kind].derived]


__all__ = [
    "KINDS",
    "Columns",
    "Feature",
    "Kind",
    "counted",
    "decode",
    "encode",
    "missing_like",
    "with_columns",
]
