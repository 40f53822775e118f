"""What a model may cost."""

import dataclasses
import math
import time

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker

#: How the message of a trial begins that was not trained for its cost.
OVER_BUDGET = "over the budget"
_WARM_UP, _CALLS, _SECONDS = 10, 200, 20.0


@dataclasses.dataclass(frozen=True)
class Budget:
    """Limits that a model has to keep, each optional.

    Args:
      latency_ms: of the 99th percentile of scoring one user's slate, in
        milliseconds, > 0.
      slate: candidates in it, >= 1.
      size_bytes: of all weights, >= 1.
      parameters: number of all weights, >= 1.

    Raises:
      InputError: where a limit is out of range.
    """

    latency_ms: float | None = None
    slate: int = 100
    size_bytes: int | None = None
    parameters: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            numbers = (int, float) if field.name == "latency_ms" else (int,)
            if value is None:
                continue
            if type(value) not in numbers or not 0 < value < math.inf:
                raise InputError(
                    f"`{field.name}` must be a number > 0. Received: {value!r}."
                )

    def measure(self, ranker: AdRanker, dataset: Dataset) -> dict[str, float]:
        """What a ranker costs: `parameters`, `size_bytes`, `latency_ms`.

        The latency is measured where it is limited, on this machine: the 99th
        percentile of 200 calls (fewer where they take over 20 s) with ads that
        are encoded already, as they are in serving, a full history, and one
        user.

        Args:
          ranker: built; its weights do not matter.
          dataset: its rows give the user and the context.
        """
        weights = ranker.weights
        cost: dict[str, float] = {
            "parameters": sum(w.shape.num_elements() for w in weights),
            "size_bytes": sum(
                w.shape.num_elements() * w.dtype.size for w in weights
            ),
        }
        if self.latency_ms is not None:
            cost["latency_ms"] = _latency(ranker, dataset, self.slate)
        return cost

    def exceeded(self, cost: dict[str, float]) -> str | None:
        """One line on the limits that a cost is over; None where it is not."""
        over = [
            f"{name} {cost[name]:.6g} > {limit:.6g}"
            for name in ("latency_ms", "size_bytes", "parameters")
            if (limit := getattr(self, name)) is not None and cost[name] > limit
        ]
        return f"{OVER_BUDGET}: {', '.join(over)}" if over else None


def _latency(ranker: AdRanker, dataset: Dataset, slate: int) -> float:
    inputs, _ = next(iter(dataset.batches(1)))
    length = dataset.history_length
    rows = np.random.default_rng(0)
    ads = len(dataset.catalogue)

    def some(count: int, below: int):
        return tf.constant(rows.integers(1, below + 1, [1, count]), tf.int32)

    inputs = {
        **inputs,
        "history_ads": some(length, ads),
        "history_events": some(length, len(dataset.schema.event_types)),
        "history_ages": some(length, 86400),
        "history_length": tf.constant([length], tf.int32),
        "candidate_ads": some(slate, ads),
    }
    tower = ranker.ad_tower
    encoded = tower.encode(
        {
            "history": (inputs["history_ads"], tower.history_parts),
            "slate": (inputs["candidate_ads"], tower.candidate_parts),
        }
    )
    score = tf.function(ranker.rank)
    taken: list[float] = []
    begun = time.perf_counter()
    for call in range(_WARM_UP + _CALLS):
        start = time.perf_counter()
        logits = score(inputs, encoded["history"], encoded["slate"])
        logits[ranker.tasks[0]].numpy()
        if call >= _WARM_UP:
            taken.append(time.perf_counter() - start)
        if taken and time.perf_counter() - begun > _SECONDS:
            break
    return float(np.percentile(taken, 99)) * 1000
