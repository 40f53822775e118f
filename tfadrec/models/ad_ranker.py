"""The ranker: towers, what brings their vectors together, and heads."""

from collections.abc import Mapping, Sequence

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.building import built, config_of
from tfadrec.layers.interaction import CTRHead
from tfadrec.models.base import RankingModel
from tfadrec.ops import probability

#: The logit of a conversion once there is a click; it has no label of its own.
CONVERTED_IF_CLICKED = "converted_if_clicked"
_CONTEXT_WIDTH = 8
_GIVEN_LAYERS = (
    "ad_tower",
    "user_tower",
    "matching",
    "interaction",
    "multitask",
)


@register
class AdRanker(RankingModel):
    """Ranks candidate ads for a user: logits [B] or [B, C] per task.

    1. The ad tower makes vectors of the history's ads and of the candidates,
       the user tower makes user vectors of the history, and the matching layer
       scores the candidates' fields against the events.
    2. The features of a candidate are user vector, ad vector, their product,
       the match, the context, and what the interaction layer makes of these or
       of the fields.
    3. One head per task turns features into a logit. With a multi-task layer,
       head k reads the k-th row of what that makes of the features.
    4. A linear path adds the bias of the ad and of the user to one logit: that
       of `clicked` where it is a task, else of the first task. Other labels are
       too rare to tell single ids apart.

    **Clicks and conversions.** Where both `clicked` and `converted` are tasks,
    the heads give pCTR and pCVR = P(conversion | click), and `converted`, whose
    label is over all impressions, is their product (Ma et al., 2018):

        pCTCVR = P(click and conversion) = pCTR pCVR

    So pCVR, which has labels only where there was a click, is learned over all
    impressions. Its logit is given as `converted_if_clicked`, beside the tasks.
    Any other tasks, also `converted` alone, are heads side by side.

    Args:
      ad_tower: an `AdTower`.
      user_tower: a `UserTower`.
      matching: a layer of `tfadrec.layers.matching`, or None.
      interaction: a layer of `tfadrec.layers.interaction` that takes features
        [B, C, F] or fields [B, C, 1 + N, D], the user vector and the ad's
        fields; its output [B, C, U] joins the features. Or None.
      multitask: a layer of `tfadrec.layers.multitask`, or None.
      tasks: names of the labels to predict; `training.fit` monitors the first.
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
      Dict of task -> float32 logits, shaped as `candidate_ads`, and of
      `converted_if_clicked` where clicks and conversions are tasks.

    Raises:
      ValueError: where there is no task, the interaction layer is a head, or
        the multi-task layer is for another number of tasks.

    Example:
      >>> from tfadrec import layers, towers
      >>> spec = {"num_ads": 9, "categoricals": {}, "numerics": [],
      ...         "vectors": {"text": 8}}
      >>> ranker = AdRanker(
      ...     towers.AdTower(spec),
      ...     towers.UserTower(layers.DIN(), num_event_types=2),
      ...     layers.AttentionMatching(),
      ...     multitask=layers.MMoE(num_tasks=2),
      ...     tasks=("clicked", "converted"),
      ... )

    Reference:
      Ma et al., "Entire Space Multi-Task Model: An Effective Approach for
      Estimating Post-Click Conversion Rate", SIGIR 2018, equations 1 to 3. As
      there, both tasks share the towers; the features are shared too.
    """

    def __init__(
        self,
        ad_tower: keras.layers.Layer,
        user_tower: keras.layers.Layer,
        matching: keras.layers.Layer | None = None,
        *,
        interaction: keras.layers.Layer | None = None,
        multitask: keras.layers.Layer | None = None,
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
        if interaction is not None and not hasattr(interaction, "takes"):
            raise ValueError(
                "`interaction` must be a layer that takes features or fields. "
                f"Received: {type(interaction).__name__}."
            )
        if multitask is not None and multitask.num_tasks != len(tasks):
            raise ValueError(
                "`multitask` must be for as many tasks as there are. Received: "
                f"num_tasks={multitask.num_tasks} for {', '.join(tasks)}."
            )
        self.ad_tower = ad_tower
        self.user_tower = user_tower
        self.matching = matching
        self.interaction = interaction
        self.multitask = multitask
        self._context = sorted((context or {}).items())
        self.hidden_units = tuple(hidden_units)
        self.cross_layers = cross_layers
        self.dropout = dropout
        self._is_composed = {"clicked", "converted"} <= set(tasks)
        self._biased = "clicked" if "clicked" in tasks else tasks[0]

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
            if self.interaction is not None:
                features += self._width(
                    self.interaction,
                    [1 + self.ad_tower.num_fields, width]
                    if self.interaction.takes == "fields"
                    else [features],
                )
            if self.multitask is not None:
                features = self._width(self.multitask, [features])
            self._heads = {
                name: built(
                    CTRHead(
                        self.hidden_units,
                        cross_layers=self.cross_layers,
                        dropout=self.dropout,
                        name=f"{name}_head",
                        dtype=self.dtype_policy,
                    ),
                    tf.TensorShape([None, features]),
                )
                for name in self._predicted
            }
        self.built = True

    @property
    def _predicted(self):
        """What the heads give logits of, one for each task."""
        return [
            CONVERTED_IF_CLICKED
            if self._is_composed and task == "converted"
            else task
            for task in self.tasks
        ]

    @staticmethod
    def _width(layer, shape):
        """Builds a layer; the last size of what it gives."""
        shape = tf.TensorShape([None, None, *shape])
        return built(layer, shape).compute_output_shape(shape)[-1]

    def call(self, inputs, training=None):
        candidates = inputs["candidate_ads"]
        slate = (
            candidates if candidates.shape.rank == 2 else candidates[:, None]
        )
        kind = self.ad_tower.kind
        encoded = self.ad_tower.encode(
            {
                "history": (inputs["history_ads"], ["vector", *kind]),
                "slate": (slate, ["vector", "fields", "bias", *kind]),
            },
            training=training,
        )
        logits = self.rank(
            inputs, encoded["history"], encoded["slate"], training=training
        )
        if candidates.shape.rank == 1:
            logits = {task: tf.squeeze(v, 1) for task, v in logits.items()}
        return logits

    def rank(self, inputs, history, ads, training=None):
        """Logits of ads that are encoded already, as they are in serving.

        Args:
          inputs: as for `call`; `history_ads` and `candidate_ads` are not read.
          history: the ad tower's dict for the history, leading axes [B, T], of
            which `vector` and, where there is one, `category` are read.
          ads: the ad tower's dict for the candidates, leading axes [B, C].
          training: whether to drop.

        Returns:
          Dict of task -> float32 logits [B, C], as from `call`.
        """
        user = self.encode_user(inputs, history, ads, training=training)
        features = self._features(inputs, user, ads, training)
        if self.multitask is None:
            rows = [features] * len(self._heads)
        else:
            mixed = self.multitask(features, training=training)
            rows = tf.unstack(mixed, axis=-2)
        logits = {
            name: head(row, training=training)
            for (name, head), row in zip(self._heads.items(), rows, strict=True)
        }
        logits[self._biased] += ads["bias"] + user["bias"][:, None]
        if self._is_composed:
            logits["converted"] = probability.logit_of_product(
                logits["clicked"], logits[CONVERTED_IF_CLICKED]
            )
        return logits

    def encode_user(self, inputs, history, ads, training=None):
        """What the user tower makes of a history, for candidates.

        Args:
          inputs: see `rank`.
          history: see `rank`.
          ads: see `rank`; `vector` and, where there is one, `category` are
            read.
          training: whether to drop.

        Returns:
          The user tower's dict.
        """
        behaviour = {
            "history_vectors": history["vector"],
            "history_events": inputs["history_events"],
            "history_ages": inputs["history_ages"],
            "history_length": inputs["history_length"],
            "user_id": inputs["user_id"],
            "target": ads["vector"],
        }
        if "category" in ads:
            behaviour["history_category"] = history["category"]
            behaviour["target_category"] = ads["category"]
        return self.user_tower(behaviour, training=training)

    def _features(self, inputs, user, ads, training):
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
        features = tf.concat(parts, axis=-1)
        if self.interaction is None:
            return features
        if self.interaction.takes == "fields":
            crossed = tf.concat([interest[..., None, :], ads["fields"]], axis=2)
        else:
            crossed = features
        crossed = self.interaction(crossed, training=training)
        return tf.concat([features, tf.cast(crossed, features.dtype)], axis=-1)

    def get_build_config(self):
        return {"input_shape": None}

    def build_from_config(self, config):
        self.build(config["input_shape"])

    def get_config(self):
        return {
            **super().get_config(),
            **{name: config_of(getattr(self, name)) for name in _GIVEN_LAYERS},
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
            for name in _GIVEN_LAYERS
            if config[name] is not None
        }
        return cls(**{**config, **layers})
