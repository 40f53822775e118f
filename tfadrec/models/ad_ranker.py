"""The ranker: towers, matching and head."""

from collections.abc import Mapping, Sequence

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built, config_of
from tfadrec.layers.interaction import CTRHead
from tfadrec.models.base import RankingModel

_CONTEXT_WIDTH = 8


@register
class AdRanker(RankingModel):
    """Ranks candidate ads for a user: logits [B] or [B, C] per task.

    The ad tower makes vectors of the history's ads and of the candidates, the
    user tower makes user vectors of the history, the matching layer scores the
    candidates' fields against the events, and one head per task turns user
    vector, ad vector, their product, the match and the context into a logit.
    A linear path adds the bias of the ad and of the user.

    Args:
      ad_tower: an `AdTower`.
      user_tower: a `UserTower`.
      matching: a layer of `tfadrec.layers.matching`, or None.
      tasks: names of the labels to predict, `clicked` first.
      context: name -> number of codes (categorical), or None (numeric), of
        each context feature.
      hidden_units: see `CTRHead`.
      cross_layers: see `CTRHead`.
      dropout: see `CTRHead`.

    Call args:
      inputs: the data contract's dict: `user_id` int32 [B], `history_ads`,
        `history_events` and `history_ages` int32 [B, T], `history_length`
        int32 [B], `candidate_ads` int32 [B] or [B, C], and the context
        features, int32 or float32 [B]. Ads and users are rows.
      training: whether to drop.

    Returns:
      Dict of task -> float32 logits, shaped as `candidate_ads`.

    Raises:
      ValueError: where there is no task.

    Example:
      >>> from tfadrec import layers, towers
      >>> spec = {"num_ads": 9, "categoricals": {}, "numerics": [],
      ...         "vectors": {"text": 8}}
      >>> ranker = AdRanker(
      ...     towers.AdTower(spec),
      ...     towers.UserTower(layers.DIN(), num_event_types=2),
      ...     layers.AttentionMatching(),
      ... )
    """

    def __init__(
        self,
        ad_tower: keras.layers.Layer,
        user_tower: keras.layers.Layer,
        matching: keras.layers.Layer | None = None,
        *,
        tasks: Sequence[str] = ("clicked",),
        context: Mapping[str, int | None] | None = None,
        hidden_units: Sequence[int] = (128, 64),
        cross_layers: int = 1,
        dropout: float = 0.2,
        **kwargs,
    ) -> None:
        super().__init__(tuple(tasks), **kwargs)
        if not tasks:
            raise ValueError("`tasks` must name a label. Received: tasks=().")
        self.ad_tower = ad_tower
        self.user_tower = user_tower
        self.matching = matching
        self._context = sorted((context or {}).items())
        self.hidden_units = tuple(hidden_units)
        self.cross_layers = cross_layers
        self.dropout = dropout

    def compile(self, *args, jit_compile=None, **kwargs):
        """As `RankingModel.compile`; XLA works out every row, also repeats."""
        self.ad_tower.distinct = self.ad_tower.distinct and not jit_compile
        super().compile(*args, jit_compile=jit_compile, **kwargs)

    def build(self, input_shape=None) -> None:
        width = self.ad_tower.width
        vectors = tf.TensorShape([None, None, width])
        # One absolute scope: names do not depend on who builds the model.
        with tf.name_scope("ad_ranker/"):
            built(self.ad_tower, tf.TensorShape([None]))
            built(self.user_tower, {"history_vectors": vectors})
            self._embeddings = {
                name: self.add_weight(
                    f"{name}_embedding", [size, _CONTEXT_WIDTH]
                )
                for name, size in self._context
                if size is not None
            }
            features = 3 * width + (self.matching is not None)
            features += sum(
                1 if size is None else _CONTEXT_WIDTH
                for _, size in self._context
            )
            self._heads = {
                task: built(
                    CTRHead(
                        self.hidden_units,
                        cross_layers=self.cross_layers,
                        dropout=self.dropout,
                        name=f"{task}_head",
                        dtype=self.dtype_policy,
                    ),
                    tf.TensorShape([None, features]),
                )
                for task in self.tasks
            }
        self.built = True

    def call(self, inputs, training=None):
        candidates = inputs["candidate_ads"]
        slate = (
            candidates if candidates.shape.rank == 2 else candidates[:, None]
        )
        encoded = self.ad_tower.encode(
            {
                "history": (inputs["history_ads"], ["vector"]),
                "slate": (slate, ["vector", "fields", "bias"]),
            },
            training=training,
        )
        logits = self.rank(
            inputs,
            encoded["history"]["vector"],
            encoded["slate"],
            training=training,
        )
        if candidates.shape.rank == 1:
            logits = {task: tf.squeeze(v, 1) for task, v in logits.items()}
        return logits

    def rank(self, inputs, history, ads, training=None):
        """Logits of ads that are encoded already, as they are in serving.

        Args:
          inputs: as for `call`; `history_ads` and `candidate_ads` are not read.
          history: float [B, T, D], the ad vectors of the history.
          ads: the ad tower's dict for the candidates, leading axes [B, C].
          training: whether to drop.

        Returns:
          Dict of task -> float32 logits [B, C].
        """
        user = self.user_tower(
            {
                "history_vectors": history,
                "history_events": inputs["history_events"],
                "history_ages": inputs["history_ages"],
                "history_length": inputs["history_length"],
                "user_id": inputs["user_id"],
                "target": ads["vector"],
            },
            training=training,
        )
        features = self._features(inputs, user, ads)
        bias = ads["bias"] + user["bias"][:, None]
        return {
            task: head(features, training=training) + bias
            for task, head in self._heads.items()
        }

    def _features(self, inputs, user, ads):
        vector = ads["vector"]  # [B, C, D]
        interest = tf.broadcast_to(user["user"], tf.shape(vector))
        parts = [interest, vector, interest * vector]
        if self.matching is not None:
            match = self.matching(
                {
                    "user": user["events"],
                    "user_mask": user["mask"],
                    "ad": ads["fields"],
                }
            )
            parts.append(tf.cast(match[:, :, None], vector.dtype))
        for name, size in self._context:
            values = inputs[name]
            if size is None:
                columns = tf.cast(values, vector.dtype)[:, None]
            else:
                columns = tf.gather(self._embeddings[name], values)
            shape = [*tf.unstack(tf.shape(vector)[:2]), columns.shape[-1]]
            parts.append(tf.broadcast_to(columns[:, None, :], shape))
        return tf.concat(parts, axis=-1)

    def get_build_config(self):
        return {"input_shape": None}

    def build_from_config(self, config):
        self.build(config["input_shape"])

    def get_config(self):
        return {
            **super().get_config(),
            "ad_tower": config_of(self.ad_tower),
            "user_tower": config_of(self.user_tower),
            "matching": config_of(self.matching),
            "tasks": list(self.tasks),
            "context": dict(self._context),
            "hidden_units": list(self.hidden_units),
            "cross_layers": self.cross_layers,
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config):
        layers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("ad_tower", "user_tower", "matching")
            if config[name] is not None
        }
        return cls(**{**config, **layers})
