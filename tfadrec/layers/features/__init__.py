"""Columns of features become fields: one class per kind, and all together."""

from tfadrec.layers.features.feature_fields import FeatureFields
from tfadrec.layers.features.rate_path import RatePath
from tfadrec.layers.features.traits import Traits

__all__ = ["FeatureFields", "RatePath", "Traits"]
