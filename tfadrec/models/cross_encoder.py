"""A language model that reads a user and a candidate in one text."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, LossName
from tfadrec.layers.building import config_of, plain
from tfadrec.layers.place import require_layers
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.models.base import RankingModel
from tfadrec.ops import joint_text
from tfadrec.towers.ad_copy import AdCopy, check_tokens
from tfadrec.towers.places import JOINT_ENCODER

#: The task of a cross-encoder.
_TASK = "clicked"
#: What the cosine counts before training.
_COSINE_AT_START = 5.0

#: Rows of ads [n] and a number of tokens to what the lower blocks make of the
#: first tokens, [n, tokens, D], and their mask [n, tokens].
Lower = Callable[[tf.Tensor, int], tuple[tf.Tensor, tf.Tensor]]


@register
class CrossEncoder(RankingModel):
    """Reads the newest ads of a user and a candidate together: logits [B, C].

    The frozen lower blocks of the encoder read each ad by itself, the trained
    ones above read all of these tokens side by side: the user's, newest event
    first, and the candidate's. To the token t of the ad in place k (0 for the
    candidate) of event type e, the upper blocks are given

        h_t = lower_t + place_k + type_e

    with embeddings that start at zero. A candidate's tokens read the user's and
    their own; the user's read each other alone. So a slate is one pass, in
    which the user is read once, and every candidate has the logit that it would
    have alone. With u and c the means of what becomes of the user's and of the
    candidate's tokens, at length one, and D the width,

        logit = b + sqrt(D) (p . (u * c) + q . c)

    where p starts at 5 / sqrt(D) in all places, which makes it 5 times the
    cosine, and q at zero.

    Mask: an ad without text and an event that there is not have no tokens. A
    user without events has u = 0, and a candidate without text c = 0.

    Precision: the blocks follow the encoder's dtype policy; means and logits
    are float32.

    Args:
      encoder: a `BertAdEncoder`; its `tuning` says which blocks are trained.
      catalogue: a `Catalogue` with tokens, or its `spec()`.
      num_event_types: rows of the table of event types, 1 + their number.
      num_events: of a history, the newest are read.
      event_tokens: the first tokens of an event's ad that are read.
      candidate_tokens: the first tokens of a candidate that are read.
      losses: `{"clicked": ...}`, what `losses.get` takes; binary cross-entropy
        by default.

    Call args:
      inputs: the data contract's dict, see `AdRanker`, of which `history_ads`,
        `history_events`, `history_length` and `candidate_ads` are read.
      training: whether dropout acts.

    Returns:
      Dict of `clicked`, float32 logits shaped as `candidate_ads`.

    Raises:
      ValueError: where the encoder is no `BertAdEncoder`, the catalogue has no
        tokens or others than the encoder's, or the loss reads several outputs.

    Example:
      >>> from tfadrec import layers
      >>> config = {"hidden_size": 8, "num_attention_heads": 2}
      >>> sizes = {"num_ads": 9, "tokens": {"count": 40, "longest": 6}}
      >>> reader = CrossEncoder(
      ...     layers.BertAdEncoder(config, tuning="full"),
      ...     sizes,
      ...     num_event_types=2,
      ... )

    Reference:
      Nogueira and Cho, "Passage Re-ranking with BERT", 2019, arXiv:1901.04085,
      where the first token's vector is read in place of means. MacAvaney et
      al., "Efficient Document Re-Ranking for Transformers by Precomputing Term
      Representations", SIGIR 2020: the lower blocks read the two by themselves.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        catalogue: Any,
        num_event_types: int,
        *,
        num_events: Count = 5,
        event_tokens: Count = 12,
        candidate_tokens: Count = 24,
        losses: Mapping[str, LossName | TaskLoss | Mapping[str, Any]]
        | None = None,
        **kwargs,
    ) -> None:
        super().__init__((_TASK,), losses, **kwargs)
        require_layers(encoder=(encoder, JOINT_ENCODER))
        if getattr(encoder, "model_type", "bert") != "bert":
            raise ValueError(
                "a cross-encoder reads by a BERT, whose tokens look both ways "
                "and know their places within an ad. Received: "
                f"{type(encoder).__name__}."
            )
        given = isinstance(catalogue, Mapping)
        spec = catalogue if given else catalogue.spec()
        self._at_start = {} if given else catalogue.tables()
        if not spec.get("tokens"):
            raise ValueError(
                "a cross-encoder reads the tokens of the catalogue. Received: "
                "a catalogue without tokens. Make it with `data.tokenize`."
            )
        check_tokens(spec["tokens"], self._at_start, encoder)
        if self.task_losses[_TASK].num_outputs > 1:
            raise ValueError(
                "a cross-encoder gives one logit. Received: a loss of several "
                f"outputs, {self.task_losses[_TASK].name!r}. Choose another."
            )
        self.encoder = encoder
        self._sizes = {
            "num_ads": spec["num_ads"],
            "tokens": dict(spec["tokens"]),
        }
        self.num_event_types = num_event_types
        self.num_events = num_events
        self.event_tokens = event_tokens
        self.candidate_tokens = candidate_tokens

    def build(self, input_shape=None) -> None:
        width = self.encoder.width
        with tf.name_scope("cross_encoder/"):
            self._copy = AdCopy.of(
                self,
                self.encoder,
                self._sizes["tokens"],
                self._sizes["num_ads"] + 1,
                self._at_start,
            )
            self._at_start = {}
            self._places = self._weight("places", [1 + self.num_events, width])
            self._types = self._weight(
                "event_types", [self.num_event_types, width]
            )
            cosine = keras.initializers.Constant(_COSINE_AT_START / width**0.5)
            self._of_both = self._weight("of_both", [width], cosine)
            self._of_ad = self._weight("of_ad", [width])
            self._bias = self._weight("bias", [])
        self.built = True

    def _weight(self, name, shape, initializer="zeros"):
        return self.add_weight(
            name,
            shape=shape,
            dtype="float32",
            initializer=initializer,
            experimental_autocast=False,
        )

    def read_lower_layers(self, path: str | os.PathLike[str]) -> None:
        """Has the upper blocks start from a file; see `AdTower`."""
        self._copy.read_lower_layers(path)

    def reads(self, tables: Mapping[str, np.ndarray]) -> bool:
        """Whether these are the tokens that it has of its ads.

        Args:
          tables: as `Catalogue.tables` gives them.
        """
        return self._copy.reads(tables)

    @property
    def num_tokens(self) -> int:
        """Of an ad, event or candidate, so many first tokens are read."""
        return max(self.event_tokens, self.candidate_tokens)

    def lower(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the lower blocks make of ads of its catalogue.

        Args:
          rows: int32 [n].

        Returns:
          Of the first tokens, float [n, num_tokens, D] of the encoder's compute
          dtype, and their mask, bool [n, num_tokens].
        """
        return self._copy.lower(rows, self.num_tokens)

    def lower_of(
        self, tokens: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The same of any texts.

        Args:
          tokens: `token_ids`, int32 [n, L], and `token_mask`, bool [n, L], a
            text's tokens before its padding.

        Returns:
          See `lower`.
        """
        most = self.num_tokens
        behind = tf.maximum(0, most - tf.shape(tokens["token_ids"])[1])
        padded = {
            k: tf.pad(v, [[0, 0], [0, behind]]) for k, v in tokens.items()
        }
        hidden = self.encoder.lower(padded)[:, :most]
        return hidden, padded["token_mask"][:, :most]

    def start_at(self, log_odds: float, inputs: Mapping[str, Any]) -> None:
        """Moves the bias so that the mean logit is what it should begin at.

        Args:
          log_odds: of the training rows.
          inputs: some of these, as for `call`.
        """
        logits = self(inputs)[_TASK]
        real = inputs.get("candidate_mask", tf.ones_like(logits, tf.bool))
        mean = tf.reduce_mean(tf.boolean_mask(logits, real))
        self._bias.assign_add(log_odds - mean)

    def call(self, inputs, training=None, as_outputs=False):
        candidates = inputs["candidate_ads"]
        is_slate = candidates.shape.rank == 2
        slate = candidates if is_slate else candidates[:, tf.newaxis]
        logits = self.logits(inputs, slate, self._copy.lower, training)
        if not is_slate:
            logits = tf.squeeze(logits, 1)
        outputs = {_TASK: logits}
        return outputs if as_outputs else self.answers(outputs)

    def logits(
        self,
        inputs: Mapping[str, tf.Tensor],
        slate: tf.Tensor,
        lower: Lower,
        training: bool | None = None,
    ) -> tf.Tensor:
        """The logits of slates, whose ads may be others than the catalogue's.

        Args:
          inputs: as for `call`, without candidates.
          slate: int32 [B, C], rows of ads.
          lower: reads ads by their rows.
          training: whether dropout acts.

        Returns:
          float32 [B, C].
        """
        length = inputs["history_length"]
        events = joint_text.newest(
            inputs["history_ads"], length, self.num_events
        )
        types = joint_text.newest(
            inputs["history_events"], length, self.num_events
        )
        added = self._places[1:] + tf.gather(self._types, types)  # [B, E, D]
        user, user_mask = self._lower(lower, events, self.event_tokens, added)
        added = tf.broadcast_to(
            self._places[0],
            tf.concat([tf.shape(slate), [self.encoder.width]], 0),
        )
        ads, ad_mask = self._lower(lower, slate, self.candidate_tokens, added)
        shared = self.num_events * self.event_tokens
        vectors = self.encoder.read_together(
            tf.concat([user, ads], 1),
            tf.concat([user_mask, ad_mask], 1),
            joint_text.reads(shared, tf.shape(slate)[1], self.candidate_tokens),
            training,
        )
        of_user = _unit_mean(vectors[:, :shared], user_mask)  # [B, D]
        shape = [-1, tf.shape(slate)[1], self.candidate_tokens]
        of_ads = _unit_mean(  # [B, C, D]
            tf.reshape(vectors[:, shared:], [*shape, self.encoder.width]),
            tf.reshape(ad_mask, shape),
        )
        both = tf.linalg.matvec(of_user[:, tf.newaxis] * of_ads, self._of_both)
        alone = tf.linalg.matvec(of_ads, self._of_ad)
        return self._bias + self.encoder.width**0.5 * (both + alone)

    def _lower(self, lower, rows, most, added):
        """The tokens of ads side by side.

        Args:
          lower: see `logits`.
          rows: int32 [B, N].
          most: tokens of an ad.
          added: [B, N, D], to each token of an ad.

        Returns:
          [B, N most, D], and the mask [B, N most].
        """
        hidden, mask = lower(tf.reshape(rows, [-1]), most)
        width = self.encoder.width
        added = tf.cast(tf.reshape(added, [-1, 1, width]), hidden.dtype)
        shape = [tf.shape(rows)[0], tf.shape(rows)[1] * most]
        return (
            tf.reshape(hidden + added, [*shape, width]),
            tf.reshape(mask, shape),
        )

    def get_build_config(self):
        return {"input_shape": None}

    def build_from_config(self, config):
        self.build(config["input_shape"])

    def get_config(self):
        return {
            "name": self.name,
            "encoder": config_of(self.encoder),
            "catalogue": plain(self._sizes),
            "num_event_types": self.num_event_types,
            "num_events": self.num_events,
            "event_tokens": self.event_tokens,
            "candidate_tokens": self.candidate_tokens,
            "losses": {
                _TASK: keras.saving.serialize_keras_object(
                    self.task_losses[_TASK]
                )
            },
        }

    @classmethod
    def from_config(cls, config):
        read = keras.saving.deserialize_keras_object
        losses = {t: read(loss) for t, loss in config["losses"].items()}
        encoder = read(config["encoder"])
        return cls(**{**config, "encoder": encoder, "losses": losses})


def _unit_mean(vectors, mask):
    """The mean of real tokens at length one, float32; zeros where none is."""
    real = tf.where(mask[..., tf.newaxis], tf.cast(vectors, tf.float32), 0.0)
    return tf.math.l2_normalize(tf.reduce_sum(real, -2), -1)
