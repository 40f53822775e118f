"""Samples of two models' metrics to a difference with its interval."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from scipy import stats

from tfadrec.evaluation.comparison.compared_rows import Floats
from tfadrec.evaluation.comparison.difference import ALPHA, Difference
from tfadrec.evaluation.comparison.holm import holm
from tfadrec.evaluation.comparison.resampling import Unit

#: The share of true differences of the detectable size that are found.
POWER = 0.8
#: A part in which fewer samples than this share are defined tells nothing.
_DEFINED = 0.95


@dataclasses.dataclass(frozen=True)
class Sampled:
    """A model's metric: its value by seed, and in each sample their mean."""

    by_seed: list[float]
    samples: Floats


def difference_of(
    task: str,
    metric: str,
    part: str,
    names: tuple[str, str],
    sampled: Mapping[tuple[str, str, str], Sampled],
    freedom: float,
    by: Unit,
) -> Difference:
    """A model against another, with both spreads; see `differences`.

    Args:
      task: the label.
      metric: the name of the metric.
      part: `all`, or the name of a slice.
      names: of the model and of the reference.
      sampled: by part, metric and model.
      freedom: degrees of freedom of the rows.
      by: what was drawn.
    """
    nan = float("nan")
    nothing = Sampled([nan], np.array([nan]))
    model, reference = (
        sampled.get((part, metric, name), nothing) for name in names
    )
    value, other = (float(np.mean(s.by_seed)) for s in (model, reference))
    rows_error = _spread(model.samples - reference.samples, freedom)
    of_seeds = [_seeds(s.by_seed) for s in (model, reference)]
    variances = [(rows_error**2, freedom), *(s for s in of_seeds if s)]
    total = sum(variance for variance, _ in variances)
    error = float(np.sqrt(total))
    if total > 0:
        freedom = total**2 / sum(v**2 / max(f, 1e-9) for v, f in variances)
    wide = error * stats.t.ppf(1 - ALPHA / 2, freedom) if freedom > 0 else nan
    far = error * stats.t.ppf(POWER, freedom) if freedom > 0 else nan
    return Difference(
        *(*names, task, part, metric, value, other),
        low=value - other - wide,
        high=value - other + wide,
        rows_error=rows_error,
        seeds_error=float(np.sqrt(sum(v for v, _ in filter(None, of_seeds))))
        if any(of_seeds)
        else nan,
        p=_p_value(value - other, error, freedom),
        p_holm=nan,
        detectable=wide + far,
        by=by,
        rows_of=part,
    )


def with_holm(
    pairs: Sequence[Difference], rows: Mapping[str, Hashable]
) -> list[Difference]:
    """The differences of a metric, with p-values corrected for their number.

    Parts that have the same rows are one hypothesis.

    Args:
      pairs: the differences.
      rows: part -> what tells its rows from others.
    """
    tested = {(pair.model, rows[pair.part]): pair.p for pair in pairs}
    corrected = holm(list(tested.values()))
    p_holm = dict(zip(tested, corrected, strict=True))
    first: dict[Hashable, str] = {}
    for pair in pairs:
        first.setdefault(rows[pair.part], pair.part)
    return [
        dataclasses.replace(
            pair,
            p_holm=p_holm[pair.model, rows[pair.part]],
            rows_of=first[rows[pair.part]],
        )
        for pair in pairs
    ]


def equal_units(sizes: Floats) -> float:
    """How many equal units those of other sizes are worth (Kish).

    Args:
      sizes: rows of each unit, [U], one at least above 0: units of n_u rows are
        worth (sum n_u)^2 / sum n_u^2.
    """
    return float(sizes.sum() ** 2 / np.square(sizes).sum())


def _spread(samples: Floats, freedom: float) -> float:
    defined = samples[np.isfinite(samples)]
    if freedom < 1 or len(defined) < max(2, _DEFINED * len(samples)):
        return float("nan")
    return float(defined.std(ddof=1))


def _seeds(by_seed: list[float]) -> tuple[float, float] | None:
    """The variance of a mean over seeds, and its degrees of freedom."""
    if len(by_seed) < 2:
        return None
    return float(np.var(by_seed, ddof=1)) / len(by_seed), len(by_seed) - 1.0


def _p_value(difference: float, error: float, freedom: float) -> float:
    if not (error >= 0 and freedom > 0):
        return float("nan")
    if error == 0:
        return float(difference == 0)
    return float(2 * stats.t.sf(abs(difference) / error, freedom))
