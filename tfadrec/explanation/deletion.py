"""Whether the events that an explanation names are those that count."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.takes import takes
from tfadrec.data.impressions import Impressions
from tfadrec.evaluation.comparison.resampling import resample, units_of
from tfadrec.explanation.explanation import Explanation
from tfadrec.explanation.question import Question
from tfadrec.models import AdRanker

#: Histories of fewer events have none to choose from.
_FEWEST = 4
_REPLICATES = 1000


@dataclasses.dataclass(frozen=True)
class Deletion:
    """By how much logits move without events that were named, and others.

    Args:
      rows: the requests whose histories are long enough.
      named: the mean move without the events that the explanation names.
      random: the same without as many events that are drawn.
      low: the lower end of the 95 % interval of `named - random`; nan where
        there are no such requests.
      high: its upper end.
    """

    rows: int
    named: float
    random: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)

    @property
    def line(self) -> str:
        """In a sentence."""
        if not self.rows:
            return (
                f"No history has {_FEWEST} events, so taking events out tells "
                "nothing."
            )
        return (
            f"Without the events that it names, a quarter of each history, "
            f"logits move by {self.named:.4f}; without as many others by "
            f"{self.random:.4f} (the difference lies between {self.low:+.4f} "
            f"and {self.high:+.4f}, 95 %; {self.rows} rows)."
        )


@takes(ranker="ranker")
def deletion_check(
    ranker: AdRanker,
    asked: Question,
    explanation: Explanation,
    rows: Impressions,
    *,
    share: float = 0.25,
    draws: int = 4,
    seed: int = 0,
) -> Deletion:
    """Takes events out of histories: those named, and others at random.

    Args:
      ranker: built.
      asked: the requests.
      explanation: of these.
      rows: the impressions behind them.
      share: of a history's events, at least one.
      draws: of other events, whose mean counts.
      seed: of the draws and of the bootstrap over users.
    """
    real = explanation.real
    counts = real.sum(axis=1)
    places = np.flatnonzero(counts >= _FEWEST)
    if not len(places):
        nothing = float("nan")
        return Deletion(0, nothing, nothing, nothing, nothing)
    asked = asked.take(places)
    real, counts = real[places], counts[places]
    sizes = np.maximum(1, np.round(share * counts)).astype(int)
    before = explanation.logits[places]

    def moved(keys: NDArray) -> NDArray:
        """By how much logits move without the events of the largest keys."""
        ranks = np.argsort(np.argsort(-np.where(real, keys, -1), axis=1))
        gone = real & (ranks < sizes[:, None])
        logits = asked.without(ranker, gone).score(ranker)[explanation.task]
        return np.abs(logits.numpy() - before)

    generator = np.random.default_rng(seed)
    named = moved(np.abs(explanation.events[places]))
    others = np.mean(
        [moved(generator.random(real.shape)) for _ in range(draws)], axis=0
    )
    low, high = mean_interval(named - others, rows.take(places), seed)
    return Deletion(
        len(places), float(named.mean()), float(others.mean()), low, high
    )


def mean_interval(
    values: NDArray, rows: Impressions, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a mean over rows, by a bootstrap over users.

    Args:
      values: float [n].
      rows: the impressions, [n].
      seed: of the samples.
    """
    units, count = units_of(rows)
    sums = np.bincount(units, values, count)
    sizes = np.bincount(units, minlength=count)

    def mean(weights: NDArray) -> NDArray:
        return (sums @ weights) / np.maximum(sizes @ weights, 1)

    samples = resample({("mean",): mean}, count, len(values), _REPLICATES, seed)
    low, high = np.quantile(samples["mean",], [0.025, 0.975])
    return float(low), float(high)
