"""Every kind of feature as a layer, by its name."""

from tfadrec.layers.features.categories_field import CategoriesField
from tfadrec.layers.features.category_field import CategoryField
from tfadrec.layers.features.cross_field import CrossField
from tfadrec.layers.features.expression_field import ExpressionField
from tfadrec.layers.features.field import Field, Spec
from tfadrec.layers.features.lookup_field import LookupField
from tfadrec.layers.features.number_field import NumberField
from tfadrec.layers.features.overlap_field import OverlapField
from tfadrec.layers.features.vector_field import VectorField

FIELDS: dict[str, type[Field]] = {
    "category": CategoryField,
    "categories": CategoriesField,
    "number": NumberField,
    "vector": VectorField,
    "cross": CrossField,
    "lookup": LookupField,
    "overlap": OverlapField,
    "rate": NumberField,
    "count": NumberField,
    "expression": ExpressionField,
}


def columns_of(feature: Spec) -> dict[str, tuple[list[int], str]]:
    """A feature's own columns: name -> shape of one value, and dtype."""
    return FIELDS[feature["kind"]].columns(feature)
