"""The ranker: towers, what brings their vectors together, and heads."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import Count, Extra, LossName, MoreParts, Rate
from tfadrec.layers.behavior import DIN
from tfadrec.layers.building import (
    built,
    config_of,
    plain,
)
from tfadrec.layers.features import FeatureFields, RatePath, Traits
from tfadrec.layers.features.rate_path import KINDS as RATES
from tfadrec.layers.fold_in import FoldIn
from tfadrec.layers.interaction import CTRHead
from tfadrec.layers.matching import AttentionMatching
from tfadrec.layers.place import Place, require_layers
from tfadrec.layers.text_matching import TextMatching
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.models.base import RankingModel
from tfadrec.models.candidate_features import CandidateFeatures
from tfadrec.models.dataset_sizes import (
    DEFAULT_FACTORS,
    DEFAULT_RANK,
    DIRECTIONS,
    biased_task,
    dataset_sizes,
    folds_in,
    has_text_vectors,
    slope_sizes,
)
from tfadrec.ops import probability
from tfadrec.towers import AdTower, UserTower
from tfadrec.towers.places import AD_TOWER, USER_TOWER

#: The logit of a conversion once there is a click; it has no label of its own.
CONVERTED_IF_CLICKED = "converted_if_clicked"
#: Width of an embedding that a head reads beside the vectors.
_COLUMN_WIDTH = 8
#: What an interaction layer reads.
_TAKEN = ("features", "fields")
_PLACES = {
    "ad_tower": AD_TOWER,
    "user_tower": USER_TOWER,
    "matching": Place(
        "layers.AttentionMatching()",
        gives=("user", "user_mask", "ad", "ad_mask"),
        may_lack=True,
    ),
    "interaction": Place(
        "layers.CrossNetwork()", asks=("takes",), may_lack=True
    ),
    "multitask": Place(
        "layers.MMoE(num_tasks=2)", asks=("num_tasks",), may_lack=True
    ),
    "text_matching": Place(
        "layers.TextMatching(num_event_types=2)",
        asks=("num_signals",),
        may_lack=True,
    ),
    "fold_in": Place(
        "layers.FoldIn(num_event_types=2)",
        gives=("history", "candidates", "mask", "event_types"),
        may_lack=True,
    ),
}


@register
class AdRanker(RankingModel):
    """Ranks candidate ads for a user: logits [B] or [B, C] per task.

    1. The ad tower makes vectors of the history's ads and of the candidates,
       the user tower makes user vectors of the history, and the matching layer
       scores the candidates' fields against the events.
    2. The features of a candidate are user vector, ad vector, their product,
       the match, the features of the context and of the candidate, and what the
       interaction layer makes of these or of the fields.
    3. One head per task turns features into a logit, or into what the task's
       loss reads. With a multi-task layer, head k reads the k-th row of what
       that makes of the features.
    4. A linear path adds the bias of the ad and of the user to one logit: that
       of `clicked` where it is a task, else of the first task. Other labels are
       too rare to tell single ids apart.
    5. With a text matching, what the texts of history and candidate have in
       common in the language model's own space, and what a candidate's text is
       worth to anybody, join the features, and their logits that linear path.
       The heads start at zero then: an untrained ranker ranks as these do.
    6. With a fold-in, head, linear path, and what the user would think of a
       candidate by matrix factorisation are mixed in that logit, except in
       training: the mix is found afterwards, on rows that were not learned.
    7. Rates and counts of candidates join the features as numbers do, and that
       linear path by a `RatePath`.
    8. Slopes in the linear path say what traits of ads are worth to a user, and
       to who has a value of one of `slopes_of`, known or not.

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
      text_matching: a `layers.TextMatching`, or None; the ad tower needs a
        `text_rank` for it.
      fold_in: a `layers.FoldIn`, or None; the ad tower needs `num_factors` as
        many as its `rank` and `text_rank` together.
      tasks: names of the labels to predict; `training.fit` monitors the first.
      losses: task -> what `losses.get` takes; binary cross-entropy by default.
        A task of binary labels gives logits; one of real labels, such as a
        revenue, gives the predicted mean.
      loss_weights: task -> weight of its loss, >= 0 and not 0 for all;
        1 by default.
      row_weights: task -> a label of the dataset, >= 0, that weighs the task's
        rows in its loss, beside the weight of a row for all tasks.
      context: features of requests and of users, as `Feature.spec` gives them.
      slopes_of: names of features of `context` that have slopes by what ads
        have traits of: numbers, and what has codes.
      candidate: features of ads in a request, and what is worked out of the
        features of several entities for a candidate. The ad tower passes on the
        columns of ads that these read.
      feature_dropout: `dropout` of `FeatureFields`.
      hidden_units: see `CTRHead`.
      cross_layers: see `CTRHead`.
      dropout: see `CTRHead`.

    Call args:
      inputs: the data contract's dict: `user_id` int32 [B], `history_ads`,
        `history_events` and `history_ages` int32 [B, T], `history_length`
        int32 [B], `candidate_ads` int32 [B] or [B, C], and the columns of
        features: leading axes [B] of users and the context, [B, T] of events,
        those of `candidate_ads` of candidates. Ads and users are rows.
      training: whether to drop.
      as_outputs: whether to give what losses read, which differs where a loss
        reads several outputs.

    Returns:
      Dict of task -> float32 logits or means, shaped as `candidate_ads`, and of
      `converted_if_clicked` where clicks and conversions are tasks.

    Raises:
      ValueError: where there is no task, a layer belongs in another place, the
        multi-task layer is for another number of tasks, or the ad tower makes
        nothing that texts are matched by, or has other factors.

    Example:
      >>> from tfadrec import layers, towers
      >>> text = {"name": "text", "kind": "vector", "width": 8}
      >>> spec = {"num_ads": 9, "features": [text]}
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
        text_matching: keras.layers.Layer | None = None,
        fold_in: keras.layers.Layer | None = None,
        tasks: Sequence[str] = ("clicked",),
        losses: Mapping[str, LossName | TaskLoss | Mapping[str, Any]]
        | None = None,
        loss_weights: Mapping[str, float] | None = None,
        row_weights: Mapping[str, str] | None = None,
        context: Sequence[Mapping[str, Any]] = (),
        slopes_of: Sequence[str] = (),
        candidate: Sequence[Mapping[str, Any]] = (),
        feature_dropout: Rate = 0.02,
        hidden_units: Sequence[Count] = (128, 64),
        cross_layers: MoreParts = 1,
        dropout: Rate = 0.2,
        **kwargs,
    ) -> None:
        # Columns of features keep their precision: see `Field`.
        kwargs["autocast"] = False
        super().__init__(
            tuple(tasks), losses, loss_weights, row_weights, **kwargs
        )
        given = {
            "ad_tower": ad_tower,
            "user_tower": user_tower,
            "matching": matching,
            "interaction": interaction,
            "multitask": multitask,
            "text_matching": text_matching,
            "fold_in": fold_in,
        }
        require_layers(**{n: (given[n], place) for n, place in _PLACES.items()})
        if not tasks or len(set(tasks)) < len(tasks):
            raise ValueError(
                "`tasks` must name labels, each once. Received: "
                f"tasks={tuple(tasks)}."
            )
        for name, specs in (("context", context), ("candidate", candidate)):
            if isinstance(specs, Mapping):
                raise ValueError(
                    f"`{name}` must be a list of what `Feature.spec` gives; "
                    "`AdRanker.for_dataset` makes it. Received: a dict."
                )
        if interaction is not None and interaction.takes not in _TAKEN:
            raise ValueError(
                "`interaction` must be a layer that `takes` features or "
                f"fields. Received: takes={interaction.takes!r}."
            )
        if multitask is not None and multitask.num_tasks != len(tasks):
            raise ValueError(
                "`multitask` must be for as many tasks as there are. Received: "
                f"num_tasks={multitask.num_tasks} for {', '.join(tasks)}."
            )
        if text_matching is not None and ad_tower.text_space is None:
            raise ValueError(
                "`text_matching` needs an ad tower with a `text_rank`. "
                "Received: text_rank=None."
            )
        if fold_in and ad_tower.num_factors != fold_in.num_factors:
            raise ValueError(
                "`fold_in` needs an ad tower of as many factors. Received: "
                f"rank={fold_in.rank}, text_rank={fold_in.text_rank}, "
                f"num_factors={ad_tower.num_factors}."
            )
        self.ad_tower = ad_tower
        self.user_tower = user_tower
        self.matching = matching
        self.interaction = interaction
        self.multitask = multitask
        self.text_matching = text_matching
        self.fold_in = fold_in
        self.context = [dict(feature) for feature in context]
        self.candidate = [dict(feature) for feature in candidate]
        self.feature_dropout = feature_dropout
        self._candidates = CandidateFeatures(self.candidate)
        rates = [f for f in self.candidate if f["kind"] in RATES]
        self._rates = None
        if rates:
            self._rates = RatePath(rates, name="rates", dtype=self.dtype_policy)
        self._context_fields = self._fields(self.context, "context")
        self.slopes_of = tuple(slopes_of)
        #: A row of slopes for each value of these; None where there are none.
        self.context_slopes: Traits | None = None
        if self.slopes_of:
            signals = len(rates) + (text_matching is not None)
            self.num_slopes = signals + ad_tower.all_traits
            self.context_slopes = Traits(
                [f for f in self.context if f["name"] in self.slopes_of],
                self.num_slopes,
                name="context_slopes",
                dtype=self.dtype_policy,
            )
        self._candidate_fields = self._fields(self.candidate, "candidate")
        self.hidden_units = tuple(hidden_units)
        self.cross_layers = cross_layers
        self.dropout = dropout
        self._is_composed = {"clicked", "converted"} <= set(tasks)
        self._check_composed()
        #: Whose logit the linear path raises.
        self.biased_task = biased_task(tasks)
        if fold_in and self.task_losses[self.biased_task].num_outputs > 1:
            raise ValueError(
                "`fold_in` is mixed into one logit. Received: a loss of "
                f"several outputs for {self.biased_task!r}. Leave one out."
            )

    def build(self, input_shape=None) -> None:
        width = self.ad_tower.width
        vectors = tf.TensorShape([None, None, width])
        # One absolute scope: names do not depend on who builds the model.
        with tf.name_scope("ad_ranker/"):
            built(self.ad_tower, tf.TensorShape([None]))
            tower = self.ad_tower.features
            tables = {} if tower is None else dict(tower.tables)
            self.user_tower.share(tables)
            built(self.user_tower, {"history_vectors": vectors})
            tables |= self.user_tower.tables
            features = 3 * width
            if self.matching is not None:
                fields = [None, None, self.ad_tower.num_fields, width]
                shapes = {"user": vectors, "ad": tf.TensorShape(fields)}
                built(self.matching, shapes)
                features += 1
            if self.text_matching is not None:
                built(self.text_matching, None)
                features += self.text_matching.num_signals + 1  # the appeal
            for layer in (self._rates, self.fold_in):
                if layer is not None:
                    built(layer, None)
            for fields in (self._context_fields, self._candidate_fields):
                if fields is not None:
                    fields.share(tables)
                    built(fields, None)
                    tables |= fields.tables
                    features += fields.num_columns
            if self.context_slopes is not None:
                built(self.context_slopes, None)
                #: float32 [F, S], what holds them; 0 where unused.
                self.slope_penalties = self.add_weight(
                    "slope_penalties",
                    shape=[len(self.slopes_of), self.num_slopes],
                    dtype="float32",
                    initializer="zeros",
                    trainable=False,
                    experimental_autocast=False,
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
                        units=self.task_losses[task].num_outputs,
                        is_bounded=self.task_losses[task].is_bounded,
                        starts_at_zero=self.text_matching is not None,
                        name=f"{name}_head",
                        dtype=self.dtype_policy,
                    ),
                    tf.TensorShape([None, features]),
                )
                for task, name in zip(self.tasks, self._predicted, strict=True)
            }
        self.built = True

    @property
    def rates(self) -> RatePath | None:
        """What adds up rates and counts; None where there are none."""
        return self._rates

    @property
    def heads(self) -> Mapping[str, CTRHead]:
        """By what they give the logit of; of a built ranker."""
        return dict(self._heads)

    @property
    def _predicted(self):
        """What the heads give logits of, one for each task."""
        return [
            CONVERTED_IF_CLICKED
            if self._is_composed and task == "converted"
            else task
            for task in self.tasks
        ]

    def _check_composed(self):
        """Refuses losses that clicks and conversions cannot be composed of."""
        for task in ("clicked", "converted") if self._is_composed else ():
            loss = self.task_losses[task]
            if loss.num_outputs > 1 or not loss.is_binary:
                raise ValueError(
                    "clicks and conversions that are both tasks need losses "
                    f"of one logit. Received: {loss.name!r} for {task}. Choose "
                    "another loss, or train on one of the two."
                )

    @staticmethod
    def _width(layer, shape):
        """Builds a layer; the last size of what it gives."""
        shape = tf.TensorShape([None, None, *shape])
        return built(layer, shape).compute_output_shape(shape)[-1]

    def _fields(self, features, name):
        if not features:
            return None
        return FeatureFields(
            features,
            _COLUMN_WIDTH,
            dropout=self.feature_dropout,
            initializer="glorot_uniform",
            flat=True,
            name=name,
            dtype=self.dtype_policy,
        )

    def call(self, inputs, training=None, as_outputs=False):
        candidates = inputs["candidate_ads"]
        is_slate = candidates.shape.rank == 2
        slate = candidates if is_slate else candidates[:, None]
        if not is_slate:
            inputs = self._candidates.as_slates(inputs)
        tower = self.ad_tower
        encoded = tower.encode(
            {
                "history": (inputs["history_ads"], tower.history_parts),
                "slate": (slate, tower.candidate_parts),
            },
            training=training,
        )
        outputs = self.rank_outputs(
            inputs, encoded["history"], encoded["slate"], training=training
        )
        if not is_slate:
            outputs = {task: tf.squeeze(v, 1) for task, v in outputs.items()}
        return outputs if as_outputs else self.answers(outputs)

    def codes_of(self, inputs, field):
        """See the base class; of ads, they are those of the ad tower."""
        codes = self.ad_tower.codes(field, inputs["candidate_ads"])
        return super().codes_of(inputs, field) if codes is None else codes

    def rank(self, inputs, history, ads, training=None):
        """What `call` gives, of ads that are encoded already, as in serving.

        Args:
          inputs: as for `rank_outputs`.
          history: as for `rank_outputs`.
          ads: as for `rank_outputs`.
          training: whether to drop.

        Returns:
          Dict of task -> float32 [B, C], as from `call`.
        """
        outputs = self.rank_outputs(inputs, history, ads, training=training)
        return self.answers(outputs)

    def rank_outputs(self, inputs, history, ads, training=None):
        """What losses read, of ads that are encoded already.

        Args:
          inputs: as for `call`; `history_ads` and `candidate_ads` are not read,
            and the columns of candidates are [B, C].
          history: the ad tower's dict for the history, leading axes [B, T], of
            of which its `history_parts` are read.
          ads: the ad tower's dict for the candidates, leading axes [B, C], of
            which its `candidate_parts` are read.
          training: whether to drop.

        Returns:
          Dict of task -> float32 [B, C], or [B, C, outputs] where the task's
          loss reads several.
        """
        user = self.encode_user(inputs, history, ads, training=training)
        signals = text_logit = None
        if self.text_matching is not None:
            signals, text_logit = self.match_texts(inputs, history, ads)
            appeal = ads["text_appeal"]
            signals = tf.concat([signals, appeal[..., None]], axis=-1)
            text_logit += appeal
        features = self._features(inputs, user, ads, signals, training)
        if self.multitask is None:
            rows = [features] * len(self._heads)
        else:
            mixed = self.multitask(features, training=training)
            rows = tf.unstack(mixed, axis=-2)
        logits = {
            name: head(row, training=training)
            for (name, head), row in zip(self._heads.items(), rows, strict=True)
        }
        bias = self._linear(inputs, user, ads, text_logit)
        learned = logits[self.biased_task]
        if self.fold_in is None or training:
            raised = self.task_losses[self.biased_task].raised(learned, bias)
        else:
            opinions = self.opinions(inputs, history, ads)
            raised = self.fold_in.mixed(learned, bias, opinions)
        logits[self.biased_task] = raised
        if self._is_composed:
            logits["converted"] = probability.logit_of_product(
                logits["clicked"], logits[CONVERTED_IF_CLICKED]
            )
        return logits

    def _linear(self, inputs, user, ads, text_logit):
        """The logit of the linear path, float32 [B, C]."""
        logit = ads["bias"] + user["bias"][:, None]
        if text_logit is not None:
            logit += text_logit
        if self._rates is not None:
            logit += self._rates(inputs)
        told = self.signals(inputs, ads, text_logit)
        if "ad_slopes" in ads:
            logit += tf.reduce_sum(ads["ad_slopes"] * told, axis=-1)
        slopes = [user["slopes"]] if "slopes" in user else []
        if self.context_slopes is not None:
            slopes.append(self.context_slopes(inputs))
        if slopes:
            if "ad_traits" in ads:
                told = tf.concat([told, ads["ad_traits"]], axis=-1)
            logit += tf.linalg.matvec(told, tf.add_n(slopes))
        return logit

    def signals(self, inputs, ads, text_logit):
        """What tells candidates apart beside who they are.

        Args:
          inputs: see `rank`.
          ads: see `rank`.
          text_logit: what texts say, as from `match_texts`, or None.

        Returns:
          float32 [B, C, signals]: that logit, rates and counts.
        """
        told = [tf.zeros(tf.concat([tf.shape(ads["bias"]), [0]], 0))]
        if text_logit is not None:
            told.append(text_logit[..., None])
        if self._rates is not None:
            told.append(self._rates.values(inputs))
        return tf.concat(told, axis=-1)

    def opinions(self, inputs, history, ads):
        """What the fold-in tells of ads that are encoded already.

        Args:
          inputs: see `rank`.
          history: see `rank`; `factors` are read.
          ads: see `rank`; `factors` are read.

        Returns:
          As from `FoldIn`: float32 [B, C, parts].
        """
        time = tf.shape(inputs["history_events"])[1]
        return self.fold_in(
            {
                "history": history["factors"],
                "candidates": ads["factors"],
                "mask": tf.sequence_mask(inputs["history_length"], time),
                "event_types": inputs["history_events"],
            }
        )

    def match_texts(self, inputs, history, ads):
        """What the text matching makes of ads that are encoded already.

        Args:
          inputs: see `rank`.
          history: see `rank`; what a `TextSpace` gives is read.
          ads: see `rank`; what a `TextSpace` gives is read.

        Returns:
          As from `TextMatching`: float32 [B, C, signals] and [B, C].
        """
        texts = {
            "history": history["text_unit"],
            "candidates": ads["text_unit"],
        }
        if self.ad_tower.text_rank:
            texts["history_keys"] = history["text_key"]
            texts["candidate_queries"] = ads["text_query"]
        time = tf.shape(inputs["history_events"])[1]
        return self.text_matching(
            {
                **texts,
                "mask": tf.sequence_mask(inputs["history_length"], time),
                "event_types": inputs["history_events"],
                "ages": inputs["history_ages"],
            }
        )

    def encode_user(self, inputs, history, ads, training=None):
        """What the user tower makes of a history, for candidates.

        Args:
          inputs: see `rank`.
          history: see `rank`.
          ads: see `rank`; `vector` and what tells an ad's kind are read.
          training: whether to drop.

        Returns:
          The user tower's dict.
        """
        behaviour = inputs | {
            "history_vectors": history["vector"],
            "target": ads["vector"],
        }
        for kind in self.ad_tower.kind:
            behaviour["history_category"] = history[kind]
            behaviour["target_category"] = ads[kind]
        return self.user_tower(behaviour, training=training)

    def _features(self, inputs, user, ads, signals, training):
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
        if signals is not None:
            parts.append(signals)
        if self._context_fields is not None:
            columns = self._context_fields(inputs, training=training)
            parts.append(columns[:, None, :])
        if self._candidate_fields is not None:
            columns = self._candidates.columns(inputs, ads)
            parts.append(self._candidate_fields(columns, training=training))
        shape = tf.shape(vector)[:2]
        features = tf.concat(
            [
                tf.broadcast_to(
                    tf.cast(part, vector.dtype),
                    tf.concat([shape, [part.shape[-1]]], 0),
                )
                for part in parts
            ],
            axis=-1,
        )
        if self.interaction is None:
            return features
        if self.interaction.takes == "fields":
            crossed = tf.concat([interest[..., None, :], ads["fields"]], axis=2)
        else:
            crossed = features
        crossed = self.interaction(crossed, training=training)
        return tf.concat([features, tf.cast(crossed, features.dtype)], axis=-1)

    @classmethod
    def for_dataset(
        cls,
        dataset,
        encoder: keras.layers.Layer | None = None,
        matching: keras.layers.Layer | None = None,
        *,
        text: keras.layers.Layer | None = None,
        match_texts: bool = True,
        fold_in: Extra | None = None,
        use_user_id: bool = True,
        ad_tower: Mapping[str, Any] | None = None,
        user_tower: Mapping[str, Any] | None = None,
        **settings,
    ) -> "AdRanker":
        """A ranker that reads all that a dataset has.

        Args:
          dataset: a `tfadrec.data.Dataset`; tells the features of ads, users,
            events, requests and candidates, the event types and the users.
          encoder: a layer of `tfadrec.layers.behavior`; `DIN` by default.
          matching: a layer of `tfadrec.layers.matching`; `AttentionMatching` by
            default.
          match_texts: whether a dataset's ad copy is matched in the language
            model's own space, by a `TextMatching`.
          text: see `AdTower`.
          fold_in: factors of an ad that opinions are folded into, 0 for none;
            None for 16 where the dataset suits it (see `folds_in`).
          use_user_id: whether users have an embedding of their own.
          ad_tower: other arguments of `AdTower`.
          user_tower: other arguments of `UserTower`.
          **settings: other arguments of the ranker.

        Raises:
          ValueError: where `dataset` is none, or lacks the label of a task.

        Example:
          ranker = AdRanker.for_dataset(dataset, layers.DIN())
        """
        sizes = dataset_sizes(dataset, settings.get("tasks", ()))
        if not use_user_id:
            sizes["user_tower"]["num_users"] = 0
        ad_tower = dict(ad_tower or {})
        reads_vectors = has_text_vectors(dataset.catalogue)
        if match_texts and (text or reads_vectors):
            ad_tower.setdefault("text_rank", DEFAULT_RANK)
            settings.setdefault(
                "text_matching",
                TextMatching(**sizes["text_matching"], name="text_matching"),
            )
        if fold_in is None and folds_in(dataset, ad_tower, settings):
            fold_in = DEFAULT_FACTORS
        of_ads, of_users, of_context = slope_sizes(
            dataset,
            sizes
            | {"user_tower": {**sizes["user_tower"], **(user_tower or {})}},
            use_ad_id=ad_tower.get("use_id", True),
            folds_in=bool(fold_in),
            matches_texts="text_matching" in settings,
            reads_vectors="text_matching" in settings and text is None,
        )
        ad_tower = {**of_ads, **ad_tower}
        user_tower = {**of_users, **(user_tower or {})}
        settings = {**of_context, **settings}
        if fold_in:
            settings["fold_in"] = FoldIn(
                **sizes["fold_in"],
                rank=fold_in,
                text_rank=DIRECTIONS if match_texts and reads_vectors else 0,
                name="fold_in",
            )
            ad_tower["num_factors"] = settings["fold_in"].num_factors
        return cls(
            AdTower(
                **sizes["ad_tower"],
                text=text,
                name="ad_tower",
                **ad_tower,
            ),
            UserTower(
                DIN(name="encoder") if encoder is None else encoder,
                **sizes["user_tower"],
                name="user_tower",
                **user_tower,
            ),
            AttentionMatching() if matching is None else matching,
            **sizes["ranker"],
            **settings,
        )

    def get_build_config(self):
        return {"input_shape": None}

    def build_from_config(self, config):
        self.build(config["input_shape"])

    def get_config(self):
        return {
            **super().get_config(),
            **{name: config_of(getattr(self, name)) for name in _PLACES},
            "tasks": list(self.tasks),
            "losses": {
                task: keras.saving.serialize_keras_object(loss)
                for task, loss in self.task_losses.items()
            },
            "loss_weights": plain(self._given_weights),
            "row_weights": plain(self.row_weights),
            "context": plain(self.context),
            "slopes_of": list(self.slopes_of),
            "candidate": plain(self.candidate),
            "feature_dropout": self.feature_dropout,
            "hidden_units": list(self.hidden_units),
            "cross_layers": self.cross_layers,
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config):
        layers = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in _PLACES
            if config.get(name) is not None
        }
        losses = {
            task: keras.saving.deserialize_keras_object(loss)
            for task, loss in config["losses"].items()
        }
        return cls(**{**config, **layers, "losses": losses})
