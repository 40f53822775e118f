"""A user's history to user vectors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, Extra, Rate
from tfadrec.layers.building import (
    built,
    config_of,
    plain,
)
from tfadrec.layers.dynamic_id_embedding import DynamicIdEmbedding
from tfadrec.layers.features import FeatureFields
from tfadrec.layers.hashed_id_embedding import HashedIdEmbedding
from tfadrec.layers.id_embedding import IdEmbedding
from tfadrec.layers.place import Place, require_layers
from tfadrec.ops import lookup, sequence, watched

_ENCODER = Place(
    "layers.DIN()",
    gives=(
        "events",
        "mask",
        "target",
        "ages",
        "event_types",
        "category",
        "target_category",
    ),
)


#: What a table that does not grow with the users is made by.
_WITHOUT_BOUND = {
    layer.__name__: layer for layer in (HashedIdEmbedding, DynamicIdEmbedding)
}


@register
class UserTower(keras.layers.Layer):
    """Reads a history with a behaviour encoder: to [B, C, D].

    An event's vector is its ad's vector plus embeddings of what was done
    (event type), how long ago (the power of two below 1 + age in seconds) and
    how many events ago, and the fields of the event's own features; the
    behaviour encoder makes user vectors of them. To these are added the fields
    of the user's features, and an embedding of the user's id, which also adds a
    bias to the score; they start at zero or near it, so a user without training
    rows is the average user.

    Mask: from `history_length`; an empty history is a normal user. Precision:
    the compute dtype; biases float32.

    Args:
      encoder: a layer of `tfadrec.layers.behavior`.
      num_event_types: number of event type codes, the unknown type's code 0
        included, >= 1.
      num_users: number of user rows, the unknown user's row 0 included; 0 for
        a tower that does not look at ids.
      num_slopes: S >= 0, of users by their rows; see `IdEmbedding`.
      ids: None for an `IdEmbedding`, a row for each user. A table of a fixed
        size, whatever `num_users` is, has the `class` `HashedIdEmbedding` or
        `DynamicIdEmbedding`, and beside it the arguments of that class but
        `width` and `dropout`; it reads users' keys in place of their rows.
      id_dropout: `dropout` of users' ids.
      max_length: events further back than this share one position, >= 1.
      features: of users; see `FeatureFields`.
      event_features: of events.
      feature_dropout: `dropout` of `FeatureFields`.

    Call args:
      inputs: dict of `history_vectors`, float [B, T, D], `history_events`,
        int32 [B, T], `history_ages`, int32 [B, T], seconds, `history_length`,
        int32 [B], `target`, float [B, C, D], `user_id`, int32 [B], or
        with `ids` `user_key`, int64 [B], 0 for nobody, and the columns of the
        features, leading axes [B] of users and [B, T] of events.

    Returns:
      Dict of `user`, float [B, C, D] or [B, 1, D], `events`, float [B, T, D],
      `mask`, bool [B, T], `bias`, float32 [B], and where there are some
      `slopes`, float32 [B, S].

    Raises:
      ValueError: where a size is below 1, the encoder is none, `ids` names
        another class, or there are slopes without rows of users.

    Example:
      >>> from tfadrec import layers
      >>> tower = UserTower(layers.DIN(), num_event_types=2)
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        *,
        num_event_types: int,
        num_users: int = 0,
        num_slopes: Extra = 0,
        ids: Mapping[str, Any] | None = None,
        id_dropout: Rate = 0.5,
        max_length: Count = 50,
        features: Sequence[Mapping[str, Any]] = (),
        event_features: Sequence[Mapping[str, Any]] = (),
        feature_dropout: Rate = 0.02,
        **kwargs,
    ) -> None:
        # Columns of features keep their precision: see `Field`.
        super().__init__(autocast=False, **kwargs)
        require_layers(encoder=(encoder, _ENCODER))
        if num_event_types < 1 or max_length < 1 or num_users < 0:
            raise ValueError(
                "`num_event_types` and `max_length` must be >= 1, `num_users` "
                f">= 0. Received: num_event_types={num_event_types}, "
                f"max_length={max_length}, num_users={num_users}."
            )
        if ids is not None and ids.get("class") not in _WITHOUT_BOUND:
            raise ValueError(
                f"`ids` needs a class, one of {', '.join(_WITHOUT_BOUND)}. "
                f"Received: ids={dict(ids)!r}."
            )
        if num_slopes and not (num_users and ids is None):
            raise ValueError(
                "`num_slopes` needs a row for each user. Received: num_slopes="
                f"{num_slopes}, num_users={num_users}, ids={ids}."
            )
        self.encoder = encoder
        self.num_event_types = num_event_types
        self.num_users = num_users
        self.num_slopes = num_slopes
        self.ids = ids
        self.id_dropout = id_dropout
        self.max_length = max_length
        self._features = [dict(feature) for feature in features]
        self._event_features = [dict(feature) for feature in event_features]
        self.feature_dropout = feature_dropout
        self.features: FeatureFields | None = None
        self.event_features: FeatureFields | None = None
        self._lent: Callable[[], dict[str, Any]] = dict

    @property
    def reads_rows(self) -> bool:
        """Whether each user has a row of its own."""
        return self.num_users > 0 and self.ids is None

    def start_biases(self, biases: np.ndarray) -> None:
        """Sets the biases of users, of a tower that has not been trained.

        Args:
          biases: float [rows].
        """
        self._id.start_biases(biases)

    @property
    def slopes(self) -> tf.Variable | None:
        """Those of users, float32 [rows, S], of a built tower that has some."""
        return self._id.slopes if self.num_slopes else None

    @property
    def penalties(self) -> tf.Variable | None:
        """What holds levels and slopes; None where there are no slopes."""
        return self._id.penalties if self.num_slopes else None

    def share(self, tables: Mapping[str, Callable[[], Any]]) -> None:
        """Lets features use other features' embeddings; before `build`.

        Args:
          tables: as for `FeatureFields.share`.
        """
        # A function hides them from Keras, which would save them twice.
        self._lent = lambda: dict(tables)

    @property
    def tables(self) -> dict[str, Callable[[], Any]]:
        """Functions to embeddings of features, by these; of a built tower."""
        fields = (self.event_features, self.features)
        return {
            name: table
            for each in fields
            if each is not None
            for name, table in each.tables.items()
        }

    def build(self, input_shape) -> None:
        width = input_shape["history_vectors"][-1]
        sizes = {
            "event_type": self.num_event_types,
            "age": sequence.NUM_AGE_BUCKETS,
            "position": self.max_length,
        }
        self._embeddings = {
            name: self.add_weight(
                f"{name}_embedding", [size, width], initializer="uniform"
            )
            for name, size in sizes.items()
        }
        if self.num_users:
            self._id = built(self._of_ids(width), [None])
        tables = self._lent()
        names = ["features", "event_features"]
        of_events = {spec["name"] for spec in self._event_features}
        if any(spec.get("share") in of_events for spec in self._features):
            names.reverse()  # who lends comes before who borrows
        for name in names:
            setattr(self, name, self._fields(name, width, tables))
        built(
            self.encoder,
            {
                "events": tf.TensorShape([None, None, width]),
                "target": tf.TensorShape([None, None, width]),
            },
        )
        super().build(input_shape)

    def _of_ids(self, width):
        given = {
            "width": width,
            "dropout": self.id_dropout,
            "name": "id",
            "dtype": "float32",
        }
        if self.ids is None:
            return IdEmbedding(
                self.num_users, num_slopes=self.num_slopes, **given
            )
        settings = plain(self.ids)
        return _WITHOUT_BOUND[settings.pop("class")](**given, **settings)

    def _fields(self, name, width, tables):
        """The layer of some features, built; it lends its own embeddings."""
        specs = getattr(self, f"_{name}")
        if not specs:
            return None
        fields = FeatureFields(
            specs,
            width,
            dropout=self.feature_dropout,
            name=name,
            dtype=self.dtype_policy,
        )
        fields.share(tables)
        built(fields, None)
        tables |= fields.tables
        return fields

    def call(self, inputs, training=None):
        vectors = tf.cast(inputs["history_vectors"], self.compute_dtype)
        length = inputs["history_length"]
        steps = tf.range(tf.shape(vectors)[1])  # [T]
        mask = steps < length[:, None]  # [B, T]
        events = vectors + self._describe(inputs, length[:, None] - 1 - steps)
        if self.event_features is not None:
            fields = self.event_features(inputs, training=training)
            events += tf.reduce_sum(fields, axis=-2)
        behaviour = {
            "events": events,
            "mask": mask,
            "target": tf.cast(inputs["target"], self.compute_dtype),
            "ages": inputs["history_ages"],
            "event_types": inputs["history_events"],
        }
        if "target_category" in inputs:
            behaviour["category"] = inputs["history_category"]
            behaviour["target_category"] = inputs["target_category"]
        # An encoder may have a policy of its own.
        encoded = tf.cast(
            self.encoder(behaviour, training=training), self.compute_dtype
        )
        if self.features is not None:
            fields = self.features(inputs, training=training)
            encoded += tf.reduce_sum(fields, axis=-2)[:, None, :]
        own = {"bias": tf.zeros(tf.shape(length))}
        if self.num_users:
            ids = inputs["user_id"] if self.reads_rows else _keys(inputs)
            known = {
                part: watched.entering(self.name, (part,), values)
                for part, values in self._id(ids, training=training).items()
            }
            encoded += tf.cast(known["vector"], encoded.dtype)[:, None, :]
            del known["vector"]
            own = known
        return {"user": encoded, "events": events, "mask": mask, **own}

    def _describe(self, inputs, events_ago):
        types = inputs["history_events"]
        known = (types > 0) & (types < self.num_event_types)
        buckets = sequence.age_buckets(inputs["history_ages"])
        types = tf.where(known, types, 0)
        positions = tf.clip_by_value(events_ago, 0, self.max_length - 1)
        # One table of all pairs: an event is one look-up less.
        of_type, of_age = (
            self._embeddings["event_type"],
            self._embeddings["age"],
        )
        pairs = tf.expand_dims(of_type, 1) + of_age  # [types, ages, D]
        pairs = tf.reshape(pairs, [-1, pairs.shape[-1]])
        place = types * sequence.NUM_AGE_BUCKETS + buckets
        described = lookup.gather_rows(pairs, place)
        described = watched.entering(self.name, ("event",), described)
        return described + lookup.gather_rows(
            self._embeddings["position"], positions
        )

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": config_of(self.encoder),
            "num_event_types": self.num_event_types,
            "num_users": self.num_users,
            "num_slopes": self.num_slopes,
            "ids": plain(self.ids),
            "id_dropout": self.id_dropout,
            "max_length": self.max_length,
            "features": plain(self._features),
            "event_features": plain(self._event_features),
            "feature_dropout": self.feature_dropout,
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})


def _keys(inputs):
    """The keys of users.

    Raises:
      ValueError: where a batch comes without them.
    """
    if "user_key" not in inputs:
        raise ValueError(
            "a `UserTower` with `ids` reads `user_key`. Received: inputs "
            f"{', '.join(sorted(inputs))}. Make batches of "
            "`dataset.with_user_keys()`."
        )
    return inputs["user_key"]
