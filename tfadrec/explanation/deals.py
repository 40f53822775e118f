"""The values of one feature, dealt to the requests of others."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from tfadrec.core.door import tf
from tfadrec.data.dataset import Dataset
from tfadrec.explanation.question import Question
from tfadrec.explanation.tensors import USER_IDS, event_inputs
from tfadrec.layers.features.kinds import columns_of
from tfadrec.models import AdRanker

#: Requests, and an order of them, to the same with some values in that order.
Deal = Callable[[Question, NDArray], Question]


def deals(ranker: AdRanker, rows: Dataset) -> dict[str, Deal]:
    """What deals the values of each feature to other requests, by its name.

    A history is dealt as a whole.

    Args:
      ranker: built.
      rows: of its dataset.
    """
    schema, tower = rows.schema, ranker.ad_tower
    columns = {
        f"{feature.entity}.{feature.name}": list(columns_of(feature.spec()))
        for feature in schema.of("user", "context", "candidate")
    }
    found = {}
    if ranker.user_tower.num_users:
        found["user id"] = _of_inputs(*USER_IDS)
    found |= {n: _of_inputs(*own) for n, own in columns.items() if own}
    events = event_inputs(ranker) | {"history_length"}
    found["history"] = _of_inputs(*events, history=True)
    if tower.of_id:
        found["ad id"] = _of_ads(*tower.of_id)
    for feature in schema.of("ad"):
        own = list(columns_of(feature.spec()))
        if own:
            found[f"ad.{feature.name}"] = _of_ads(*own)
    if tower.text_space is not None or tower.text is not None:
        found["ad text"] = _of_ads("text")
    return found


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
