"""Explanations in a bundle."""

from collections.abc import Mapping
from typing import Any

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.explanation.explanation import LEAST
from tfadrec.explanation.integrated import by_feature, integrated
from tfadrec.explanation.question import Question
from tfadrec.explanation.recorder import Recorder
from tfadrec.models import AdRanker
from tfadrec.models.ranker_ensemble import Ranker

#: Points of the path: a served answer cannot take more where it needs them.
STEPS = 64


class ServedExplainer:
    """What each feature and each event adds to a logit, in a graph.

    As `explain` has it, with a fixed number of points, of the ranker's first
    task. It reads the ads anew from the ranker's tables, which come with the
    bundle.

    Args:
      ranker: built.
      schema: of its dataset.
      steps: points of the path, >= 1.

    Raises:
      InputError: for the average of several rankers, or one that trains its
        language model.
    """

    def __init__(
        self, ranker: Ranker, schema: Schema, *, steps: int = STEPS
    ) -> None:
        if not isinstance(ranker, AdRanker) or ranker.ad_tower.text is not None:
            raise InputError(
                "a bundle explains one ranker, with text vectors. Received: "
                "the average of several, or one that trains its language "
                "model. Leave the explanations out; `tfadrec explain` tells of "
                "the latter."
            )
        self._ranker, self._schema, self._steps = ranker, schema, steps

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The parts of some requests.

        Args:
          inputs: of the ranker, [B, ...], with the features of candidates
            [B, 1, ...], and `history_ads` [B, T] and `candidate_ads` [B, 1],
            rows of its catalogue.

        Returns:
          `logit` and `unknown`, float32 [B], before any calibration;
          `completeness_error`, float32 [B]; `field_names`, string [B, F], and
          `fields`, float32 [B, F]; and `events`, float32 [B, T].
        """
        ranker = self._ranker
        asked = Question.of_inputs(ranker, inputs)
        first, last = Recorder(), Recorder()
        asked.score(ranker, last)
        asked.unknown(ranker).score(ranker, first)
        begin, end = (
            {k: tf.cast(v, tf.float32) for k, v in reading.values.items()}
            for reading in (first, last)
        )
        found = integrated(
            ranker, asked, ranker.tasks[0], begin, end, self._steps
        )
        unknown, logit = found.pop("begin"), found.pop("end")
        fields, events = by_feature(found, ranker, self._schema)
        if events is None:
            events = tf.zeros(tf.shape(inputs["history_ads"]), tf.float64)
        parts = tf.stack(list(fields.values()), axis=1)
        missed = tf.abs(tf.reduce_sum(parts, axis=1) - (logit - unknown))
        names = tf.constant([list(fields)])
        return {
            "logit": tf.cast(logit, tf.float32),
            "unknown": tf.cast(unknown, tf.float32),
            "completeness_error": tf.cast(
                missed / tf.maximum(tf.abs(logit - unknown), LEAST), tf.float32
            ),
            "field_names": tf.tile(names, [tf.shape(parts)[0], 1]),
            "fields": tf.cast(parts, tf.float32),
            "events": tf.cast(events, tf.float32),
        }
