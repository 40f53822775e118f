"""A user's history to user vectors."""

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built, config_of
from tfadrec.layers.id_embedding import IdEmbedding
from tfadrec.ops import lookup, sequence


@register
class UserTower(keras.layers.Layer):
    """Reads a history with a behaviour encoder: to [B, C, D].

    An event's vector is its ad's vector plus embeddings of what was done
    (event type), how long ago (the power of two below 1 + age in seconds) and
    how many events ago; the behaviour encoder makes user vectors of them. A
    user's own id adds an embedding to the user vectors and a bias to the
    score; both start at zero, so a user without training rows is the average
    user.

    Mask: from `history_length`; an empty history is a normal user. Precision:
    the compute dtype; biases float32.

    Args:
      encoder: a layer of `tfadrec.layers.behavior`.
      num_event_types: number of event type codes, the unknown type's code 0
        included, >= 1.
      num_users: number of user rows, the unknown user's row 0 included; 0 for
        a tower that does not look at ids.
      id_dropout: `dropout` of `IdEmbedding`.
      max_length: events further back than this share one position, >= 1.

    Call args:
      inputs: dict of `history_vectors`, float [B, T, D], `history_events`,
        int32 [B, T], `history_ages`, int32 [B, T], seconds, `history_length`,
        int32 [B], `target`, float [B, C, D], and `user_id`, int32 [B].

    Returns:
      Dict of `user`, float [B, C, D] or [B, 1, D], `events`, float [B, T, D],
      `mask`, bool [B, T], and `bias`, float32 [B].

    Raises:
      ValueError: where a size is below 1.

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
        id_dropout: float = 0.5,
        max_length: int = 50,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if num_event_types < 1 or max_length < 1 or num_users < 0:
            raise ValueError(
                "`num_event_types` and `max_length` must be >= 1, `num_users` "
                f">= 0. Received: num_event_types={num_event_types}, "
                f"max_length={max_length}, num_users={num_users}."
            )
        self.encoder = encoder
        self.num_event_types = num_event_types
        self.num_users = num_users
        self.id_dropout = id_dropout
        self.max_length = max_length

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
            self._id = built(
                IdEmbedding(
                    self.num_users,
                    width,
                    dropout=self.id_dropout,
                    name="id",
                    dtype="float32",
                ),
                [None],
            )
        built(
            self.encoder,
            {
                "events": tf.TensorShape([None, None, width]),
                "target": tf.TensorShape([None, None, width]),
            },
        )
        super().build(input_shape)

    def call(self, inputs, training=None):
        vectors = inputs["history_vectors"]
        length = inputs["history_length"]
        steps = tf.range(tf.shape(vectors)[1])  # [T]
        mask = steps < length[:, None]  # [B, T]
        events = vectors + self._describe(inputs, length[:, None] - 1 - steps)
        behaviour = {
            "events": events,
            "mask": mask,
            "target": inputs["target"],
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
        bias = tf.zeros(tf.shape(length))
        if self.num_users:
            known = self._id(inputs["user_id"], training=training)
            encoded += tf.cast(known["vector"], encoded.dtype)[:, None, :]
            bias = known["bias"]
        return {"user": encoded, "events": events, "mask": mask, "bias": bias}

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
        return lookup.gather_rows(pairs, place) + lookup.gather_rows(
            self._embeddings["position"], positions
        )

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": config_of(self.encoder),
            "num_event_types": self.num_event_types,
            "num_users": self.num_users,
            "id_dropout": self.id_dropout,
            "max_length": self.max_length,
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
