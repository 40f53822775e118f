"""Logistic regression with a level for each of many keys, such as ads."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfadrec.core.logistic import Floats, fit_weights

#: Rounds of weights and levels by turns: the last ones change little.
_ROUNDS = 8
#: Holds the weight of what is known.
_HELD = 1e9
#: Penalties of a level, in rows, from which one is chosen.
PENALTIES = (100.0, 30.0, 10.0, 3.0)
#: The share of rows, the last ones, by which it is chosen.
_LATE = 0.25


@dataclasses.dataclass(frozen=True)
class LeveledRows:
    """Rows of a regression, in the order of their times.

    Attributes:
      columns: float64 [n, k].
      known: float64 [n], a part of the logit that is not fitted.
      keys: name -> int [n]; 0 is for keys that are not known, and has no level.
      labels: float64 [n], 0 and 1.
      weights: float64 [n] >= 0, of the mean 1.
    """

    columns: Floats
    known: Floats
    keys: Mapping[str, np.ndarray]
    labels: Floats
    weights: Floats

    def slice(self, rows: slice) -> "LeveledRows":
        """Some of them."""
        return LeveledRows(
            self.columns[rows],
            self.known[rows],
            {name: keys[rows] for name, keys in self.keys.items()},
            self.labels[rows],
            self.weights[rows],
        )


def fit_levels(
    rows: LeveledRows,
    sizes: Mapping[str, int],
    start: Floats,
    pulls: Floats,
    penalties: Mapping[str, float],
) -> tuple[Floats, dict[str, Floats]]:
    """Weights b and levels l by which the labels are most likely.

    The logit is known + columns b + sum over names of l[key], and the sum over
    rows is penalised by pull (b - start)^2 / 2 and penalty l^2 / 2. Weights and
    levels are found by turns, the levels by steps of Newton's method.

    Args:
      rows: of the regression.
      sizes: name -> how many keys there are.
      start: [k], of the weights.
      pulls: [k], in shares of the number of rows.
      penalties: name -> of its levels, in rows; others have none.

    Returns:
      b, float64 [k], and name -> l, float64 [size], 0 for key 0.
    """
    count = len(rows.labels)
    levels = {name: np.zeros(sizes[name]) for name in penalties}
    held, weights = np.append(pulls * count, _HELD * count), start
    for _ in range(_ROUNDS if penalties else 1):
        known = rows.known + sum(
            (levels[name][rows.keys[name]] for name in levels), np.zeros(count)
        )
        weights = fit_weights(
            np.column_stack([rows.columns, known]),
            rows.labels,
            rows.weights,
            np.append(weights, 1.0),
            held,
        )[:-1]
        logits = rows.columns @ weights + known
        for name, penalty in penalties.items():
            keys, level = rows.keys[name], levels[name]
            chance = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
            slope = np.bincount(
                keys, rows.weights * (rows.labels - chance), sizes[name]
            )
            curve = np.bincount(
                keys, rows.weights * chance * (1 - chance), sizes[name]
            )
            # Far from its end a step of Newton's method may be much too long.
            step = np.clip(
                (slope - penalty * level) / (curve + penalty), -1.0, 1.0
            )
            step[0] = 0.0
            level += step
            logits += step[keys]
    return weights, levels


def choose_penalties(
    rows: LeveledRows, sizes: Mapping[str, int], start: Floats, pulls: Floats
) -> dict[str, float]:
    """How much levels are held, told by the last quarter of the rows.

    Args:
      rows: as for `fit_levels`.
      sizes: likewise.
      start: likewise.
      pulls: likewise.

    Returns:
      name -> penalty, without those whose levels are of no use to later rows.
    """
    cut = round(len(rows.labels) * (1 - _LATE))
    early, late = rows.slice(slice(cut)), rows.slice(slice(cut, None))
    if not early.weights.sum() > 0:
        return {}

    def loss(penalties: Mapping[str, float]) -> float:
        weights, levels = fit_levels(early, sizes, start, pulls, penalties)
        logits = late.known + late.columns @ weights
        for name, level in levels.items():
            logits = logits + level[late.keys[name]]
        signed = np.where(late.labels == 1, logits, -logits)
        return float(late.weights @ np.logaddexp(0.0, -signed))

    chosen: dict[str, float] = {}
    best = loss(chosen)
    for name in rows.keys:
        losses = {p: loss({**chosen, name: p}) for p in PENALTIES}
        penalty = min(losses, key=losses.__getitem__)
        if losses[penalty] < best:
            chosen[name], best = penalty, losses[penalty]
    return chosen
