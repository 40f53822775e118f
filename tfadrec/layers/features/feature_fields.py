"""Columns of features to fields, whatever they are features of."""

import functools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built, plain
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.dropout import Dropout
from tfadrec.layers.features.kinds import FIELDS, columns_of
from tfadrec.ops import watched

#: Variance of a projection's first kernel, as a share of Glorot's. At 1,
#: numbers and vectors drown the ids, which start at zero.
_PROJECTION_SCALE = 0.1


@register
class FeatureFields(CheckedLayer):
    """Makes a vector of each feature: columns [...] to fields [..., N, D].

    A category, a list of categories and a cross are embedded; each is a field.
    A vector is projected to width D; it is a field. All numbers, lookups and
    overlaps together are one field, a projection of them (as the dense features
    of DLRM are, Naumov et al., 2019), so that many numbers cost no more than
    one. Fields come in this order; within it, features stand as they are given.

    A missing value has an answer: an embedding's code 0 starts at zero, a
    missing number is replaced by a trained one that starts at 0, the mean, and
    a missing vector is zero. Values are dropped for a share of the places in
    training, so that these answers are learned also where the log has every
    value.

    Mask: none. Precision: the compute dtype; embeddings are read, and numbers
    completed, in float32.

    Args:
      features: of any one entity, as `tfadrec.core.feature.Feature.spec` gives
        them.
      width: D, >= 1.
      dropout: the share of values that is dropped in training, in [0, 1).
      initializer: of embeddings, but for code 0.
      flat: whether to give the features side by side, for a head that reads
        them so: embeddings and projected vectors, and each number as it is.

    Call args:
      columns: dict of tensors by name: those of the features, and for derived
        ones those of what they read; leading axes [...] that go together.
      training: whether to drop.

    Returns:
      float [..., N, D]; flat, [..., F], in the order of the features.

    Raises:
      ValueError: where there is no feature, one is no spec or of an unknown
        kind, or the width is below 1.

    Example:
      >>> brand = {"name": "brand", "kind": "category", "num_codes": 4}
      >>> FeatureFields([brand], 8)({"brand": tf.constant([1, 2])}).shape
      TensorShape([2, 1, 8])

    Reference:
      Naumov et al., "Deep Learning Recommendation Model for Personalization and
      Recommendation Systems", arXiv:1906.00091, section 2.1.
    """

    def __init__(
        self,
        features: Sequence[Mapping[str, Any]],
        width: int,
        *,
        dropout: float = 0.0,
        initializer: str = "uniform",
        flat: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # as each field is
        _check_features(features)
        if width < 1:
            raise ValueError(f"`width` must be >= 1. Received: width={width}.")
        self.features = [dict(feature) for feature in features]
        # Keras wraps a dict attribute.
        self.wants = types.MappingProxyType(columns_read(self.features))
        self.width = width
        self.dropout = dropout
        self.initializer = initializer
        self.flat = flat
        self._fields = [
            FIELDS[feature["kind"]](
                feature,
                width,
                initializer,
                name=feature["name"],
                dtype=self.dtype_policy,
            )
            for feature in self.features
        ]

    @property
    def num_fields(self) -> int:
        """N, the number of fields."""
        scalars = len(self._scalars())
        return len(self._fields) - scalars + min(scalars, 1)

    @property
    def num_columns(self) -> int:
        """F, the width of what a flat layer gives, once it is built."""
        return sum(
            1 if f.is_scalar else self.width if f.is_projected else f.size
            for f in self._fields
        )

    @property
    def tables(self) -> dict[str, Callable[[], Any]]:
        """Functions to the embeddings of the layer, by feature."""
        return {
            field.feature["name"]: functools.partial(_table_of, field)
            for field in self._fields
            if field.table is not None
        }

    def share(self, tables: Mapping[str, Callable[[], Any]]) -> None:
        """Lets features use other features' embeddings; before `build`.

        Args:
          tables: the `tables` of the layers that have them.

        Raises:
          ValueError: where a feature shares one that is not there.
        """
        for field in self._fields:
            owner = field.feature.get("share")
            if not owner or field.is_scalar or field.feature.get("of"):
                continue
            if owner in [f["name"] for f in self.features]:
                continue
            if owner not in tables:
                raise ValueError(
                    f"the embedding of {owner!r} must be of this layer, or of "
                    "one that is built before. Received: "
                    f"{', '.join(tables) or 'no embeddings'} to share, for "
                    f"{field.feature['name']!r}."
                )
            field.borrow(tables[owner])

    def build(self, input_shape=None) -> None:
        # Those that lend come before those that borrow from them.
        for field in sorted(self._fields, key=lambda f: bool(self._own(f))):
            owner = self._own(field)
            if owner is not None:
                field.borrow(functools.partial(_table_of, owner))
            built(field, None)
        self._projections = {
            field.feature["name"]: self._projection(
                f"{field.feature['name']}_projection", field.size
            )
            for field in self._fields
            if field.is_projected
        }
        scalars = self._scalars()
        if scalars and not self.flat:
            self._projections["numbers"] = self._projection(
                "numbers_projection", len(scalars)
            )
        if scalars:
            self._missing = self.add_weight(
                "missing_numbers",
                shape=[len(scalars)],
                initializer="zeros",
                experimental_autocast=False,
            )
        if self.dropout:
            self._dropout = built(
                Dropout(self.dropout, name="dropout", dtype="float32"), [None]
            )
        super().build(input_shape)

    def _scalars(self):
        return [field for field in self._fields if field.is_scalar]

    def _own(self, field):
        """The field of this layer whose embedding another one shares."""
        owner = field.feature.get("share")
        if not owner or field.is_scalar or field._borrowed is not None:
            return None
        found = [f for f in self._fields if f.feature["name"] == owner]
        if not found:
            raise ValueError(
                f"`share` must be called with the embedding of {owner!r} "
                f"before the layer is built, for {field.feature['name']!r}."
            )
        return found[0]

    def _projection(self, name, size):
        dense = projection(self.width, name, self.dtype_policy)
        return built(dense, [None, size])

    def call(self, columns, training=None):
        vectors, numbers = self._read(columns, training)
        if self.flat:
            return self._side_by_side(vectors, numbers)
        fields = [
            self._project(field, vector)
            for is_projected in (False, True)
            for field, vector in vectors
            if field.is_projected == is_projected
        ]
        if numbers is not None:
            numbers = tf.cast(numbers, self.compute_dtype)
            fields.append(self._projections["numbers"](numbers))
        return tf.stack(fields, axis=-2)

    def _side_by_side(self, vectors, numbers):
        """All features [..., F], in the order in which they are given."""
        parts = {
            field.feature["name"]: self._project(field, vector)
            for field, vector in vectors
        }
        for place, field in enumerate(self._scalars()):
            column = tf.cast(numbers[..., place, None], self.compute_dtype)
            parts[field.feature["name"]] = column
        return tf.concat([parts[f["name"]] for f in self.features], axis=-1)

    def _project(self, field, vector):
        if not field.is_projected:
            return vector
        return self._projections[field.feature["name"]](vector)

    def _read(self, columns, training):
        """Pairs of fields and vectors, and all numbers [..., n], completed.

        All of them have the same leading axes.
        """
        read = [
            field(columns)[..., None] if field.is_scalar else field(columns)
            for field in self._fields
        ]
        read = _broadcast(read)
        if training and self.dropout:
            read = self._drop(read)
        vectors, scalars = [], []
        for field, values in zip(self._fields, read, strict=True):
            if field.is_scalar:
                scalars.append(values)
            else:
                name = field.feature["name"]
                values = watched.entering(self.name, (name,), values)
                vectors.append((field, values))
        if not scalars:
            return vectors, None
        numbers = tf.concat(scalars, axis=-1)
        missing = tf.math.is_nan(numbers)
        numbers = tf.where(missing, self._missing, numbers)
        names = tuple(field.feature["name"] for field in self._scalars())
        return vectors, watched.entering(self.name, names, numbers)

    def _drop(self, read):
        """The values [..., w], a share of which is taken for missing."""
        leading = tf.shape(read[0])[:-1]
        ones = tf.ones(tf.concat([leading, [len(read)]], 0))
        kept = self._dropout(ones, training=True) > 0
        return [
            tf.where(
                kept[..., place, None],
                values,
                float("nan")
                if field.is_scalar
                else tf.cast(field.missing, values.dtype),
            )
            for place, (field, values) in enumerate(
                zip(self._fields, read, strict=True)
            )
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "features": plain(self.features),
            "width": self.width,
            "dropout": self.dropout,
            "initializer": self.initializer,
            "flat": self.flat,
        }


def _check_features(features: Any) -> None:
    """Refuses anything but specs of features."""
    is_list = isinstance(features, list | tuple)
    for spec in features if is_list else [features]:
        is_spec = isinstance(spec, Mapping) and {"name", "kind"} <= set(spec)
        if not is_list or not is_spec:
            raise ValueError(
                "`features` must be a list of what `Feature.spec()` gives, "
                "dicts with at least a name and a kind. Received: "
                f"{spec!r:.80}. Write [feature.spec() for feature in "
                "dataset.schema.of(entity)]."
            )
    kinds = [spec["kind"] for spec in features]
    if not kinds or not set(kinds) <= set(FIELDS):
        raise ValueError(
            f"`features` must be of the kinds {', '.join(FIELDS)}. "
            f"Received: {', '.join(map(str, kinds)) or 'no feature'}."
        )


def columns_read(features: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What `CheckedLayer` wants: the columns of features and what they read."""
    wants: dict[str, str] = {}
    for feature in features:
        numbers = feature["kind"] == "expression"
        for name in feature.get("of", ()):
            wants.setdefault(name, "float [...]" if numbers else "int [...]")
        for name, (shape, dtype) in columns_of(feature).items():
            axes = ", ".join(map(str, ["...", *shape]))
            wants[name] = f"{dtype.rstrip('0123456789')} [{axes}]"
    return wants


def _table_of(field):
    return field.table


def projection(width: int, name: str, dtype) -> keras.layers.Dense:
    """A dense layer to width D for numbers or a vector, not yet built."""
    return keras.layers.Dense(
        width,
        kernel_initializer=keras.initializers.VarianceScaling(
            _PROJECTION_SCALE, "fan_avg", "uniform"
        ),
        name=name,
        dtype=dtype,
    )


def _broadcast(parts):
    """Tensors [..., w], all with the leading axes of all together."""
    if len(parts) == 1:
        return parts
    shape = tf.shape(parts[0])[:-1]
    for part in parts[1:]:
        shape = tf.broadcast_dynamic_shape(shape, tf.shape(part)[:-1])
    return [
        tf.broadcast_to(p, tf.concat([shape, [p.shape[-1]]], 0)) for p in parts
    ]
