"""Several trained rankers of one configuration, asked as one."""

from collections.abc import Sequence

from tfadrec.core.door import keras, register, tf
from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.base import RankingModel
from tfadrec.towers import TowerEnsemble


@register
class RankerEnsemble(RankingModel):
    """The average of k rankers: logits [B] or [B, C] per task.

    For logits z_i of the members, the answer is

        z = (z_1 + ... + z_k) / k,

    and for real labels the average of the predicted means. It is called,
    scored, saved and exported as an `AdRanker` is, and costs k times as much.

    Mask: as for `AdRanker`. Precision: that of the members; averages are
    float32.

    Args:
      rankers: k >= 1 `AdRanker`s of one configuration, that differ in their
        weights; without a language model that is trained with them.

    Call args:
      inputs: as for `AdRanker`.
      training: whether to drop.
      as_outputs: whether to give what losses read; their averages.

    Returns:
      As from `AdRanker`.

    Raises:
      ValueError: where there is no ranker, their tasks differ, or one has a
        language model of its own.

    Example:
      ensemble = RankerEnsemble([ranker_of_seed_0, ranker_of_seed_1])
    """

    def __init__(self, rankers: Sequence[AdRanker], **kwargs) -> None:
        rankers = list(rankers)
        if not rankers or any(r.tasks != rankers[0].tasks for r in rankers):
            told = [", ".join(ranker.tasks) for ranker in rankers]
            raise ValueError(
                "an ensemble needs rankers of the same tasks. Received: "
                f"{' and '.join(told) or 'none'}."
            )
        if any(ranker.ad_tower.text is not None for ranker in rankers):
            raise ValueError(
                "an ensemble's rankers share a frozen language model. "
                "Received: one that trains its own. Leave out `tuning`, or "
                "the ensemble."
            )
        first = rankers[0]
        kwargs["autocast"] = False
        kwargs.setdefault("dtype", first.dtype_policy)
        super().__init__(
            first.tasks, first.task_losses, first._given_weights, **kwargs
        )
        self.rankers = rankers
        self.biased_task = first.biased_task
        self.ad_tower = TowerEnsemble([r.ad_tower for r in rankers])

    @property
    def user_tower(self) -> keras.layers.Layer:
        """That of the first ranker, which tells the sizes of all."""
        return self.rankers[0].user_tower

    def build(self, input_shape=None) -> None:
        for ranker in self.rankers:
            if not ranker.built:
                ranker.build(None)
        self.built = True

    def call(self, inputs, training=None, as_outputs=False):
        return _average(
            [
                ranker(inputs, training=training, as_outputs=as_outputs)
                for ranker in self.rankers
            ]
        )

    def rank(self, inputs, history, ads, training=None):
        """What `call` gives, of ads that are encoded already, as in serving.

        Args:
          inputs: as for `AdRanker.rank`.
          history: what `ad_tower` gives for the history.
          ads: what `ad_tower` gives for the candidates.
          training: whether to drop.

        Returns:
          Dict of task -> float32 [B, C], as from `call`.
        """
        return _average(
            [
                ranker.rank(inputs, *own, training=training)
                for ranker, *own in zip(
                    self.rankers,
                    self.ad_tower.split(history),
                    self.ad_tower.split(ads),
                    strict=True,
                )
            ]
        )

    def encode_user(self, inputs, history, ads, training=None):
        """What the user towers make of a history, side by side.

        Args:
          inputs: see `rank`.
          history: see `rank`.
          ads: see `rank`.
          training: whether to drop.

        Returns:
          A user tower's dict: `user` and `events` [..., k D], `bias` [B, k].
        """
        found = [
            ranker.encode_user(inputs, *own, training=training)
            for ranker, *own in zip(
                self.rankers,
                self.ad_tower.split(history),
                self.ad_tower.split(ads),
                strict=True,
            )
        ]
        joined = dict(found[0])
        for name in ("user", "events"):
            joined[name] = tf.concat([user[name] for user in found], axis=-1)
        joined["bias"] = tf.stack([user["bias"] for user in found], axis=-1)
        return joined

    def get_build_config(self):
        return {"input_shape": None}

    def build_from_config(self, config):
        self.build(config["input_shape"])

    def get_config(self):
        rankers = map(keras.saving.serialize_keras_object, self.rankers)
        return {**super().get_config(), "rankers": list(rankers)}

    @classmethod
    def from_config(cls, config):
        rankers = map(keras.saving.deserialize_keras_object, config["rankers"])
        return cls(**{**config, "rankers": list(rankers)})


#: What a run's ranker may be.
Ranker = AdRanker | RankerEnsemble


def _average(answers):
    """The average of dicts of equal names."""
    return {
        name: tf.add_n([answer[name] for answer in answers]) / len(answers)
        for name in answers[0]
    }
