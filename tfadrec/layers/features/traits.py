"""Of features the few numbers that tastes are about."""

import functools
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.core.door import register, tf
from tfadrec.layers.building import built, plain, table
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.features.category_field import CategoryField
from tfadrec.layers.features.feature_fields import columns_read
from tfadrec.layers.features.kinds import FIELDS, columns_of
from tfadrec.ops import watched


def num_traits(feature: Mapping[str, Any]) -> int:
    """1 of a number, of a column of codes how many it knows; else 0."""
    kind = FIELDS[feature["kind"]]
    if kind.is_scalar:
        return 1
    if not (issubclass(kind, CategoryField) and columns_of(feature)):
        return 0
    return feature["num_codes"] - 1


@register
class Traits(CheckedLayer):
    """Ads as D numbers each: columns [...] to [..., D].

    A value of a category has a row of an axis [codes, D] of its feature, a list
    of categories the mean of its rows, and a number is multiplied by a row. The
    traits are the sum. Axes are not trained: they are zeros until they are
    assigned (`models.start_traits` gives the values that most ads shown have a
    coordinate each), and a missing or unknown value is nothing.

    Mask: none. Precision: float32.

    Args:
      features: numbers and what has codes, as `Feature.spec` gives them.
      width: D, >= 1.

    Call args:
      columns: dict of the features' tensors by name, leading axes [...].

    Returns:
      float32 [..., D].

    Raises:
      ValueError: where there is no feature, one is of another kind, or the
        width is below 1.

    Example:
      >>> brand = {"name": "brand", "kind": "category", "num_codes": 4}
      >>> Traits([brand], 3)({"brand": tf.constant([1, 2])}).shape
      TensorShape([2, 3])
    """

    def __init__(
        self, features: Sequence[Mapping[str, Any]], width: int, **kwargs
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        if not features or not all(num_traits(f) for f in features):
            raise ValueError(
                "`features` must be numbers or have codes. Received: "
                f"{', '.join(f['kind'] for f in features) or 'no feature'}."
            )
        if width < 1:
            raise ValueError(f"`width` must be >= 1. Received: width={width}.")
        self.features = [dict(feature) for feature in features]
        self.width = width
        # Keras wraps a dict attribute.
        self.wants = types.MappingProxyType(columns_read(self.features))
        self._fields = [
            FIELDS[feature["kind"]](
                feature,
                width,
                name=f"trait_{feature['name']}",
                dtype="float32",
            )
            for feature in self.features
        ]

    def build(self, input_shape=None) -> None:
        self._axes = [
            table(
                self,
                f"{feature['name']}_axis",
                None,
                [1 if field.is_scalar else num_traits(feature) + 1, self.width],
                "float32",
            )
            for feature, field in zip(self.features, self._fields, strict=True)
        ]
        for field, axis in zip(self._fields, self._axes, strict=True):
            if not field.is_scalar:
                field.borrow(functools.partial(_itself, axis))
            built(field, None)
        super().build(input_shape)

    def start(self, axes: Mapping[str, np.ndarray]) -> None:
        """Sets the axes of a built layer.

        Args:
          axes: float [codes, D] by the features' names; of numbers [1, D].
        """
        for feature, axis in zip(self.features, self._axes, strict=True):
            axis.assign(axes[feature["name"]])

    def places(self) -> dict[str, np.ndarray]:
        """The coordinates of the features that have some, int [n] by name."""
        places = {
            feature["name"]: np.flatnonzero(axis.numpy().any(axis=0))
            for feature, axis in zip(self.features, self._axes, strict=True)
        }
        return {name: found for name, found in places.items() if len(found)}

    def call(self, columns):
        told = []
        for field, axis in zip(self._fields, self._axes, strict=True):
            values = field(columns)
            if field.is_scalar:
                known = tf.where(tf.math.is_nan(values), 0.0, values)
                values = known[..., None] * axis[0]
            name = (field.feature["name"],)
            told.append(watched.entering(self.name, name, values))
        return tf.add_n(told)

    def get_config(self):
        return {
            **super().get_config(),
            "features": plain(self.features),
            "width": self.width,
        }


def _itself(axis):
    return axis
