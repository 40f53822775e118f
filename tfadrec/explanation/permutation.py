"""How much worse a ranker is with a feature that is another row's."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.door import tf
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation import Difference, Evaluation, differences, measure
from tfadrec.explanation.importance import Importance
from tfadrec.explanation.question import Question
from tfadrec.explanation.tensors import event_inputs
from tfadrec.layers.features.kinds import columns_of
from tfadrec.models import AdRanker

#: Rows that are read, and dealt to one another, at a time.
_ROWS = 256
_REPLICATES = 400
_ALL = "all features"


@takes(ranker="ranker", rows="dataset")
def importances(
    ranker: AdRanker,
    rows: Dataset,
    *,
    task: str | None = None,
    seed: int = 0,
) -> list[Importance]:
    """Permutation importance of everything that the ranker reads.

    The values of one feature are dealt to other rows at random, and the others
    stay: what the metric loses is what the ranker has by that feature alone. Of
    two features that tell the same each may seem worth nothing. A history is
    dealt as a whole. Intervals are those of `evaluation.differences`, over
    users, of one deal.

    Args:
      ranker: built.
      rows: some, that it has not learned from; all of them are read.
      task: whose metric; the ranker's first by default.
      seed: of the deals.

    Returns:
      The feature that is worth most first.

    Raises:
      InputError: where the rows lack the task's label.

    Reference:
      Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
    """
    task = task or ranker.tasks[0]
    deals = _deals(ranker, rows)
    generator = np.random.default_rng(seed)
    logits: dict[str, list[NDArray]] = {n: [] for n in (_ALL, *deals)}
    for inputs, *_ in rows.batches(_ROWS):
        asked = Question.of_inputs(ranker, inputs)
        logits[_ALL].append(asked.score(ranker)[task].numpy())
        order = generator.permutation(len(asked))
        for name, deal in deals.items():
            logits[name].append(deal(asked, order).score(ranker)[task].numpy())
    real = (
        ()
        if ranker.task_losses.get(task) is None
        or ranker.task_losses[task].is_binary
        else (task,)
    )
    found: dict[str, list[Evaluation]] = {
        name: [measure({task: np.concatenate(parts)}, rows, real=real)]
        for name, parts in logits.items()
    }
    metric = "rmse" if real else "auc"
    if len(found) == 1:
        return []
    compared = differences(
        found, rows, metrics=[metric], parts=["all"], replicates=_REPLICATES
    )
    return sorted(map(_importance, compared), key=lambda found: -found.loss)


def _importance(found: Difference) -> Importance:
    low, high = (-end for end in reversed(found.gain))
    sign = 1 if found.metric == "rmse" else -1
    return Importance(
        found.model, found.metric, sign * found.difference, low, high
    )


Deal = Callable[[Question, NDArray], Question]


def _deals(ranker: AdRanker, rows: Dataset) -> dict[str, Deal]:
    """Feature -> what deals its values to other rows."""
    schema, tower = rows.schema, ranker.ad_tower
    columns = {
        f"{feature.entity}.{feature.name}": list(columns_of(feature.spec()))
        for feature in schema.of("user", "context", "candidate")
    }
    deals = {"user id": _of_inputs("user_id")}
    deals |= {n: _of_inputs(*own) for n, own in columns.items() if own}
    events = event_inputs(ranker) | {"history_length"}
    deals["history"] = _of_inputs(*events, history=True)
    if tower.of_id:
        deals["ad id"] = _of_ads(*tower.of_id)
    for feature in schema.of("ad"):
        own = list(columns_of(feature.spec()))
        if own:
            deals[f"ad.{feature.name}"] = _of_ads(*own)
    if tower.text_space is not None or tower.text is not None:
        deals["ad text"] = _of_ads("text")
    return deals


def _of_inputs(*names: str, history: bool = False) -> Deal:
    def deal(asked, order):
        return dataclasses.replace(
            asked,
            inputs=_dealt(asked.inputs, set(names), order),
            history=_dealt(asked.history, set(asked.history), order)
            if history
            else asked.history,
        )

    return deal


def _of_ads(*names: str) -> Deal:
    def deal(asked, order):
        return dataclasses.replace(
            asked, ads=_dealt(asked.ads, set(names), order)
        )

    return deal


def _dealt(columns: Mapping[str, Any], names: set[str], order) -> dict:
    return {
        name: tf.gather(values, order) if name in names else values
        for name, values in columns.items()
    }
