"""Integrated gradients of a ranker over what it reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.schema import Schema
from tfadrec.core.takes import takes
from tfadrec.explanation.explanation import Explanation
from tfadrec.explanation.integrated import by_feature, integrated
from tfadrec.explanation.question import Question
from tfadrec.explanation.recorder import Recorder
from tfadrec.explanation.scopes import Key
from tfadrec.models import AdRanker

#: Points of the path at first, and at most: as often doubled as needed.
FIRST_STEPS, MOST_STEPS = 16, 1024
#: The completeness error that is aimed at.
GOAL = 0.01
#: Events of copies of requests that are worked on at a time, some 100 MB.
_AT_ONCE = 1 << 15

Parts = dict[Key, np.ndarray]


@takes(ranker="ranker")
def explain(
    ranker: AdRanker,
    asked: Question,
    schema: Schema,
    *,
    task: str | None = None,
    goal: float = GOAL,
    most_steps: int = MOST_STEPS,
) -> Explanation:
    """What each feature and each event adds to a logit.

    Integrated gradients: with x all that is read of a request (embeddings of
    ids, of categories, of events' types and ages, numbers, vectors of texts),
    x' the same of a request of which nothing is known, and F the logit,

        part_i = (x_i - x'_i) integral_0^1 dF/dx_i (x' + a (x - x')) da

    so the parts add up to F(x) - F(x'), their completeness. The integral is
    that of Gauss and Legendre, with as many points as it takes to come within
    `goal`, or `most_steps`. A part is summed over the places of its feature,
    or of its event.

    The baseline x' is what the ranker reads of an unknown user, ad and request,
    and of as many events of unknown ads, types and ages. These have trained
    answers or zero, the average, so x' is a request that the ranker can meet;
    and it has no value that speaks for or against a click. What no gradient
    reaches stays as it is: the number of events, and ages, types and kinds of
    ads where an encoder compares them without an embedding.

    Args:
      ranker: built.
      asked: the requests, B of them.
      schema: of the dataset; names the features.
      task: what to explain; the ranker's first task by default.
      goal: the completeness error to come below.
      most_steps: points of the path at most.

    Raises:
      InputError: where the ranker has no such task.

    Reference:
      Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks",
      ICML 2017, arXiv:1703.01365, equation 1 and proposition 1.
    """
    recorded, unknown = Recorder(), Recorder()
    answers = asked.score(ranker, recorded)
    task = task or ranker.tasks[0]
    if task not in answers:
        raise InputError(
            f"a ranker explains what it predicts: {', '.join(answers)}. "
            f"Received: {task!r}."
        )
    asked.unknown(ranker).score(ranker, unknown)
    path = _Path(ranker, asked, task, unknown.values, recorded.values)
    steps = np.full(len(asked), FIRST_STEPS)
    found = path.parts(np.arange(len(asked)), FIRST_STEPS)
    while True:
        explanation = _explanation(
            task, ranker, asked, schema, found, recorded, steps
        )
        rough = explanation.errors > goal
        again = np.flatnonzero(rough & (steps < most_steps))
        if not len(again):
            return explanation
        more = int(min(2 * steps[again].min(), most_steps))
        better = path.parts(again, more)
        steps[again] = more
        for name, values in better.items():
            found[name][again] = values


class _Path:
    """The straight path from what is unknown to what is read.

    Args:
      ranker: built.
      asked: the requests.
      task: whose logit is followed.
      begin: what enters the ranker where nothing is known.
      end: what enters it.
    """

    def __init__(
        self,
        ranker: AdRanker,
        asked: Question,
        task: str,
        begin: Mapping[Key, Any],
        end: Mapping[Key, Any],
    ) -> None:
        self._ranker, self._asked, self._task = ranker, asked, task
        self._begin = {k: tf.cast(v, tf.float32) for k, v in begin.items()}
        self._end = {k: tf.cast(v, tf.float32) for k, v in end.items()}

    def parts(self, rows: np.ndarray, steps: int) -> dict[Any, np.ndarray]:
        """The parts of some requests.

        Args:
          rows: their places.
          steps: points of the path.

        Returns:
          By the keys of values their parts, float64 [b, ...]; and `begin` and
          `end`, the logits there, [b].
        """
        time = max(1, self._asked.real.shape[1])
        size = max(1, _AT_ONCE // (time * (steps + 2)))
        found = [
            self._some(rows[i : i + size], steps)
            for i in range(0, len(rows), size)
        ]
        return {
            name: np.concatenate([part[name] for part in found])
            for name in found[0]
        }

    def _some(self, rows, steps):
        found = integrated(
            self._ranker,
            self._asked.take(rows),
            self._task,
            {k: tf.gather(v, rows) for k, v in self._begin.items()},
            {k: tf.gather(v, rows) for k, v in self._end.items()},
            steps,
        )
        return {key: values.numpy() for key, values in found.items()}


def _explanation(task, ranker, asked, schema, found, recorded, steps):
    """The parts of values, summed up by feature and by event."""
    ends = {name: found[name] for name in ("begin", "end")}
    parts = {key: found[key] for key in found if key not in ends}
    fields, events = by_feature(parts, ranker, schema)
    return Explanation(
        task=task,
        logits=ends["end"],
        unknown=ends["begin"],
        fields={name: part.numpy() for name, part in fields.items()},
        events=np.zeros(asked.real.shape) if events is None else events.numpy(),
        real=asked.real,
        history_rows=np.asarray(asked.inputs["history_ads"]),
        attention=recorded.weights(*asked.real.shape),
        steps=steps.copy(),
    )
