"""Logistic regression with slopes of their own for each of many keys."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tfadrec.core.logistic import Floats, fit_weights
from tfadrec.models.term import Term

#: Rounds of weights and slopes by turns: the last ones change little.
_ROUNDS = 8
#: As many tell which penalty is best.
_FEW_ROUNDS = 4
#: Holds the weight of what is known.
_HELD = 1e9
#: Penalties of a slope, in rows, from which one is chosen.
PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
#: The share of rows, the last ones, by which it may be chosen.
_LATE = 0.25
#: The share of their loss that slopes have to take away, since a network that
#: trains beside them loses by what they know of its rows; and how many times
#: its standard error, where users are drawn.
_OF_USE, _ERRORS = 1 / 500, 2.0
#: Logits of early and late rows, and what is lost of the latter's users.
_Fitted = tuple[Floats, Floats, Floats]
#: Rows of each label by which it may be chosen, at least: of rows without a
#: click, whatever moves their chance down is a gain, and its error is slight.
_EVENTS = 10


@dataclasses.dataclass(frozen=True)
class LeveledRows:
    """Rows of a regression, in the order of their times.

    Attributes:
      columns: float64 [n, k].
      known: float64 [n], a part of the logit that is not fitted.
      terms: name -> what keys have slopes of.
      labels: float64 [n], 0 and 1.
      weights: float64 [n] >= 0, of the mean 1.
    """

    columns: Floats
    known: Floats
    terms: Mapping[str, Term]
    labels: Floats
    weights: Floats

    def take(self, rows: np.ndarray | slice) -> "LeveledRows":
        """Some of them."""
        return LeveledRows(
            self.columns[rows],
            self.known[rows],
            {name: term.take(rows) for name, term in self.terms.items()},
            self.labels[rows],
            self.weights[rows],
        )

    def logits(self, weights: Floats, slopes: Mapping[str, Floats]) -> Floats:
        """Of rows, float64 [n], by what `fit_slopes` gives."""
        logits = self.known + self.columns @ weights
        for name, of_keys in slopes.items():
            logits += self.terms[name].told(of_keys)
        return logits


def fit_slopes(
    rows: LeveledRows,
    start: Floats,
    pulls: Floats,
    penalties: Mapping[str, float],
    rounds: int = _ROUNDS,
) -> tuple[Floats, dict[str, Floats]]:
    """Weights b and slopes s by which the labels are most likely.

    The logit is known + columns b + sum over terms of s[key] . values, and the
    sum over rows is penalised by pull (b - start)^2 / 2 and penalty |s|^2 / 2.
    Weights and the slopes of each term are found by turns, by steps of Newton's
    method.

    Args:
      rows: of the regression.
      start: [k], of the weights.
      pulls: [k], in shares of the number of rows.
      penalties: name -> of its slopes, in rows; others have none.
      rounds: how many turns.

    Returns:
      b, float64 [k], and name -> s, float64 [size, K], 0 for key 0.
    """
    count = len(rows.labels)
    found = {name: _Slopes(rows.terms[name]) for name in penalties}
    held, weights = np.append(pulls * count, _HELD * count), start
    told = np.zeros(count)
    for _ in range(rounds if penalties else 1):
        known = rows.known + told
        weights = fit_weights(
            np.column_stack([rows.columns, known]),
            rows.labels,
            rows.weights,
            np.append(weights, 1.0),
            held,
        )[:-1]
        fixed = rows.columns @ weights + rows.known
        for name, penalty in penalties.items():
            told += found[name].step(
                rows.weights, rows.labels, fixed + told, penalty
            )
    return weights, {name: slopes.values for name, slopes in found.items()}


class _Slopes:
    """Slopes of one term, which steps of Newton's method move.

    A row's several keys move together, so each is held by its share of the
    row's curve: a mean's square is at most the mean of squares, and so no step
    goes beyond what they gain together.
    """

    def __init__(self, term: Term) -> None:
        self._term = term
        self._rows, keys, self._shares = term.by_key()
        self._sorted = term.values[self._rows]
        self._starts = np.flatnonzero(np.diff(keys, prepend=-1))
        self._keys = keys[self._starts]
        self.values = np.zeros([term.size, term.values.shape[1]])

    def step(self, weights, labels, logits, penalty) -> Floats:
        """Moves them; by how much the logits of rows move, float64 [n]."""
        chance = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
        values, rows, shares = self._sorted, self._rows, self._shares
        slope = self._sums(values, (weights * (labels - chance))[rows] * shares)
        width = values.shape[1]
        curve = np.empty([len(self._keys), width, width])
        bend = (weights * chance * (1 - chance))[rows] * np.abs(shares)
        for i in range(width):
            curve[:, i, i:] = self._sums(values[:, i:], bend * values[:, i])
            curve[:, i:, i] = curve[:, i, i:]
        curve += penalty * np.eye(width)
        step = slope - penalty * self.values[self._keys]
        step = np.linalg.solve(curve, step[..., None])[..., 0]
        # Far from its end a step of Newton's method may be much too long.
        step /= np.maximum(np.abs(step).max(axis=1, keepdims=True), 1.0)
        step[self._keys == 0] = 0.0
        self.values[self._keys] += step
        moved = np.zeros_like(self.values)
        moved[self._keys] = step
        return self._term.told(moved)

    def _sums(self, values, factors):
        """Of each key the sum of its rows' values by their factors."""
        return np.add.reduceat(values * factors[:, None], self._starts, axis=0)


def early_and_late(rows: LeveledRows) -> tuple[LeveledRows, LeveledRows]:
    """The rows but for the last quarter, and that."""
    cut = round(len(rows.labels) * (1 - _LATE))
    return rows.take(slice(cut)), rows.take(slice(cut, None))


def choose_penalties(
    early: LeveledRows,
    late: LeveledRows,
    start: Floats,
    pulls: Floats,
    kept: Mapping[str, float],
) -> tuple[dict[str, float], float]:
    """How much slopes are held, told by later rows.

    Terms join one by one. Of each, penalties are tried from the firmest one on,
    as long as that tells more. What it tells has to be more than chance would:
    rows of one user are told alike, so it is users that are counted.

    Args:
      early: rows that slopes are found by.
      late: rows that tell how well.
      start: as for `fit_slopes`.
      pulls: likewise.
      kept: name -> penalty of terms that have one, 0 of those without use.

    Returns:
      name -> penalty, without those whose slopes are of little use to later
      rows, or of which these tell nothing, since fewer than 10 of them are
      clicked, or not; and the log loss of these, summed.
    """
    chosen = {n: p for n, p in kept.items() if p and n in early.terms}
    told = np.bincount(late.labels[late.weights > 0] > 0.5, minlength=2)
    if not early.weights.sum() > 0 or told.min() < _EVENTS:
        return chosen, 0.0
    whose = _whose(late)

    def fitted(penalties: Mapping[str, float]) -> _Fitted:
        found = fit_slopes(early, start, pulls, penalties, _FEW_ROUNDS)
        logits = late.logits(*found)
        lost = np.bincount(whose, _losses(late, logits)).astype(np.float64)
        return early.logits(*found), logits, lost

    known = fitted(chosen)
    for name in [name for name in early.terms if name not in kept]:
        *logits, lost = known
        of_use, least = None, lost.sum()
        if _first_step(early, late, name, *logits) >= least:
            continue
        for penalty in PENALTIES:
            now = fitted({**chosen, name: penalty})
            tried = now[-1]
            if tried.sum() >= least:
                break
            least = tried.sum()
            gains = lost - tried
            if gains.sum() > max(
                _OF_USE * lost.sum(), _ERRORS * np.sqrt(gains @ gains)
            ):
                of_use = penalty, now
        if of_use is not None:
            chosen[name], known = of_use
    return chosen, float(known[-1].sum())


def _losses(rows: LeveledRows, logits: Floats) -> Floats:
    """The log loss of rows, float64 [n]."""
    signed = np.where(rows.labels == 1, logits, -logits)
    return rows.weights * np.logaddexp(0.0, -signed)


def _first_step(
    early: LeveledRows,
    late: LeveledRows,
    name: str,
    early_logits: Floats,
    late_logits: Floats,
) -> float:
    """The log loss of later rows after a firmly held term's first step.

    It takes a tenth of the time of finding all anew, and of many terms few are
    of use.
    """
    slopes = _Slopes(early.terms[name])
    slopes.step(early.weights, early.labels, early_logits, PENALTIES[0])
    told = late.terms[name].told(slopes.values)
    return float(_losses(late, late_logits + told).sum())


def _whose(rows: LeveledRows) -> npt.NDArray[np.int64]:
    """Of each row its user, int [n]; a row of nobody known is by itself."""
    each = np.arange(len(rows.labels))
    if "users" not in rows.terms:
        return each
    keys = rows.terms["users"].keys
    _, whose = np.unique(
        np.where(keys > 0, keys, -1 - each), return_inverse=True
    )
    return whose.reshape(-1)
