"""A raw request as the ranker reads it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.dataset import Dataset
from tfadrec.ops import hashing, sequence
from tfadrec.serving.lookups import lookup
from tfadrec.serving.readers import Reader, as_leading, readers_of
from tfadrec.serving.traced_once import traced_once

Specs = dict[str, tf.TensorSpec]
_ID_TYPES = {"string": tf.string, "int64": tf.int64}


class RequestReader(tf.Module):
    """Users, histories, contexts and candidates of a request, without ads.

    The features of the dataset's users come along. Where a request leaves a
    feature of a known user empty, that of the bundle is read; where it gives a
    value, that value is. So a client may send an id alone, and a new user comes
    with features.

    Args:
      dataset: gives schema, users and T; its rows are not read.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        schema = dataset.schema
        self.length = dataset.history_length
        self._user_type = _ID_TYPES[schema.user_id_type]
        self._ad_type = _ID_TYPES[schema.ad_id_type]
        self._users = lookup(dataset.user_ids, self._user_type)
        self._event_types = lookup(schema.event_types, tf.string)
        self._skipped = schema.skipped
        self._of_users = readers_of(schema.of("user"))
        self._of_context = readers_of(schema.of("context"))
        self._of_candidates = readers_of(schema.of("candidate"))
        self._of_events = readers_of(schema.of("event"))
        self._known = {
            name: tf.Variable(column, trainable=False)
            for name, column in dataset.users.items()
        }

    def user_specs(self) -> Specs:
        """The inputs of one user, [B], and of a history, [B, T]."""
        one: list[int | None] = [None]
        many: list[int | None] = [None, None]
        inputs = {
            "user_id": (one, self._user_type),
            "history_ads": (many, self._ad_type),
            "history_events": (many, tf.string),
            "history_ages": (many, tf.int32),
            "history_length": (one, tf.int32),
        }
        return {
            **{
                name: tf.TensorSpec(shape, dtype, name)
                for name, (shape, dtype) in inputs.items()
            },
            **_specs(self._of_users, one),
            **_specs(self._of_context, one),
            **_specs(self._of_events, many),
        }

    def as_tensors(
        self, request: Mapping[str, np.ndarray]
    ) -> dict[str, tf.Tensor]:
        """The inputs of `user_specs` of a raw request, as tensors."""
        return {
            name: tf.constant(
                request[name].tolist(), spec.dtype, request[name].shape
            )
            for name, spec in self.user_specs().items()
        }

    def candidate_specs(self, axes: int) -> Specs:
        """The inputs of candidates, [B] or [B, C]."""
        leading: list[int | None] = [None] * axes
        name = "candidate_ads"
        return {
            name: tf.TensorSpec(leading, self._ad_type, name),
            **_specs(self._of_candidates, leading),
        }

    def event_widths(self) -> dict[str, int]:
        """Entries that the lists of an event have in an example, by input."""
        return {
            name: reader.feature.width
            for reader in self._of_events
            for name in reader.specs([])
        }

    def read_user(
        self, request: Mapping[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """What the ranker reads of the user's side.

        Args:
          request: the inputs of `user_specs`; others are not looked at.

        Returns:
          The ranker's inputs but for ads, T the newest events, and the raw ids
          of the history's ads, [B, T].
        """
        return self._read({name: request[name] for name in self.user_specs()})

    @traced_once
    def _read(
        self, request: Mapping[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        places, length = self._newest(request)
        newest = {
            name: tf.gather(request[name], places, batch_dims=1)
            for name in (
                "history_ads",
                "history_events",
                "history_ages",
                *_specs(self._of_events, []),
            )
        }
        users = self._users.lookup(request["user_id"])
        inputs = {
            "user_id": users,
            "user_key": hashing.key_of(request["user_id"]),
            "history_events": self._event_types.lookup(
                newest["history_events"]
            ),
            "history_ages": newest["history_ages"],
            "history_length": length,
        }
        for reader in self._of_events:
            inputs |= reader.read(newest)
        for reader in self._of_context:
            inputs |= reader.read(request)
        for reader in self._of_users:
            is_given = reader.is_given(request)
            for name, values in reader.read(request).items():
                known = tf.gather(self._known[name], users)
                mask = as_leading(is_given, values)
                inputs[name] = tf.where(mask, values, known)
        return inputs, newest["history_ads"]

    def _newest(
        self, request: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The places of the events that are read: see `NewestEvents`.

        Returns:
          int32 [B, n], n <= T, and how many of them are real, int32 [B].
        """
        given = tf.shape(request["history_ads"])[1]
        length = tf.clip_by_value(request["history_length"], 0, given)
        size = tf.minimum(given, self.length)
        if not self._skipped:
            first = tf.maximum(length - self.length, 0)
            places = first[:, None] + tf.range(size)
            return tf.minimum(places, given - 1), tf.minimum(
                length, self.length
            )
        is_own = self.own_events(request)
        is_skipped = tf.sequence_mask(length, given) & ~is_own
        kept = sequence.split_length(
            _count(is_own), _count(is_skipped), self.length
        )
        read = tf.zeros_like(is_own)
        for mask, most in zip((is_own, is_skipped), kept, strict=True):
            read |= mask & (sequence.events_ago(mask) < most[:, None])
        # The earlier an event, the higher it ranks; 0 is one that is left out.
        rank = tf.where(read, given - tf.range(given), 0)
        _, places = tf.math.top_k(rank, size)
        return places, tf.add(*kept)

    def own_events(self, request: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Which places of a history hold what the user did, bool [B, T].

        Args:
          request: the inputs of `user_specs`.
        """
        given = tf.shape(request["history_ads"])[1]
        own = tf.sequence_mask(request["history_length"], given)
        if self._skipped:
            types = self._event_types.lookup(request["history_events"])
            own &= types != self._skipped
        return own

    def read_candidates(
        self, request: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The features of candidates.

        Args:
          request: the inputs of `candidate_specs`.

        Returns:
          Tensors [B, C, ...] by name, as the ranker reads them.

        Raises:
          tf.errors.InvalidArgumentError: where a feature has other axes than
            `candidate_ads`.
        """
        checks = [
            tf.debugging.assert_equal(
                tf.shape(request[name])[:2],
                tf.shape(request["candidate_ads"]),
                message=f"`{name}` must have a value for each candidate",
            )
            for name in _specs(self._of_candidates, [])
        ]
        inputs: dict[str, tf.Tensor] = {}
        with tf.control_dependencies(checks):
            for reader in self._of_candidates:
                inputs |= reader.read(request)
        return inputs

    def no_candidates(self, leading: tf.Tensor) -> dict[str, tf.Tensor]:
        """The features of candidates of which nothing is known.

        Args:
          leading: int32, the sizes [B, C].
        """
        inputs: dict[str, tf.Tensor] = {}
        for reader in self._of_candidates:
            inputs |= reader.read(reader.empty(leading))
        return inputs


def _count(mask: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)


def _specs(readers: Iterable[Reader], leading: Sequence[int | None]) -> Specs:
    return {
        name: spec
        for reader in readers
        for name, spec in reader.specs(leading).items()
    }
