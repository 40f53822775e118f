"""Columns of features become fields: one class per kind, and all together."""

from tfadrec.layers.features.feature_fields import FeatureFields

__all__ = ["FeatureFields"]
