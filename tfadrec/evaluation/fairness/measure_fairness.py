"""A model's choices and errors by group, with intervals over users."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.evaluation.comparison import statistics
from tfadrec.evaluation.comparison.compared_rows import ComparedRows, Floats
from tfadrec.evaluation.comparison.resampling import resample, units_of
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.fairness.fairness import Fairness
from tfadrec.evaluation.fairness.gap import Gap
from tfadrec.evaluation.groups import groups_of
from tfadrec.metrics import ranking, top

_TASK = "clicked"
_ENDS = (2.5, 97.5)
#: Where groups may be apart.
_COMPARED = ("exposure", "opportunity", "calibration", "log_loss", "auc")


@takes(evaluation="evaluation", dataset="dataset")
def measure_fairness(
    evaluation: Evaluation,
    dataset: Dataset,
    column: str,
    *,
    k: int = 1,
    replicates: int = 1000,
    seed: int = 0,
) -> Fairness:
    """What a model chooses and how far it is off, by the groups of a column.

    The model chooses the first k ads of each request by the task `clicked`. Of
    groups of ads, *demographic parity of exposure* asks that every group's rows
    are chosen as often, P(chosen | group), and *equal opportunity* that those
    are which were clicked, P(chosen | clicked, group). A gap is the difference
    of the highest and the lowest group, and the ratio of the lowest to the
    highest, as Fairlearn has them. Requests with k ads or fewer leave no choice
    and are left out of both.

    Intervals are percentiles over samples of users (see `resampling`); a group
    of a single user has none, and a gap of such a group neither. Those of a gap
    are of the two groups that are furthest apart here: with many groups these
    are so by chance as well.

    Args:
      evaluation: what `evaluate` or `measure` made of the dataset.
      dataset: the rows.
      column: see `groups_of`.
      k: ads that are chosen, >= 1.
      replicates: samples of users.
      seed: of the samples.

    Raises:
      InputError: for a column that is none, or where clicks are no task.

    References:
      Hardt, Price and Srebro, "Equality of Opportunity in Supervised Learning",
      NeurIPS 2016; Singh and Joachims, "Fairness of Exposure in Rankings", KDD
      2018.
    """
    if _TASK not in evaluation.scores:
        raise InputError(
            "fairness is measured of choices by the task clicked. Received: "
            f"an evaluation of {', '.join(evaluation.scores) or 'no task'}. "
            "Evaluate a model of clicks."
        )
    names, groups = groups_of(dataset, column)
    logits = np.asarray(evaluation.scores[_TASK], np.float64)
    rows = _Rows(dataset, logits, k)
    made = {
        (name, measure): statistic
        for place, name in enumerate(names)
        for measure, statistic in rows.statistics(groups == place).items()
    }
    ones = np.ones([rows.num_units, 1])
    values = {key: float(made[key](ones)[0]) for key in made}
    samples = resample(made, rows.num_units, len(dataset), replicates, seed)
    for place, name in enumerate(names):
        if rows.units_in(groups == place) < 2:
            samples |= {
                (name, measure): np.full(replicates, np.nan)
                for group, measure in made
                if group == name
            }
    found, intervals = {}, {}
    for name in names:
        found[name] = {
            measure: values[group, measure]
            for group, measure in made
            if group == name
        }
        intervals[name] = {
            measure: _interval(samples[name, measure])
            for measure in found[name]
            if measure != "rows"
        }
    return Fairness(column, k, found, intervals, _gaps(names, values, samples))


class _Rows:
    """The rows, and sums of them over a part, for weights of users."""

    def __init__(self, dataset: Dataset, logits: NDArray, k: int) -> None:
        rows = dataset.impressions
        self._units, self.num_units = units_of(rows)
        weights = rows.weights
        self._weights = (
            np.ones(len(dataset)) if weights is None else np.asarray(weights)
        )
        self._users, self._logits = rows.users, logits
        self._clicks = np.asarray(rows.labels[_TASK], np.float64)
        self._chosen = top.chosen(logits, rows.requests, k)
        place, sizes = np.unique(
            rows.requests, return_inverse=True, return_counts=True
        )[1:]
        self._is_open = sizes[place] > k

    def units_in(self, part: NDArray[np.bool_]) -> int:
        """How many users are in a part."""
        return len(np.unique(self._units[part]))

    def statistics(
        self, part: NDArray[np.bool_]
    ) -> dict[str, Callable[[NDArray], Floats]]:
        """The measures of some rows."""
        probs = ranking.sigmoid(self._logits)
        z = np.where(self._clicks == 1, -self._logits, self._logits)
        every, is_open = np.ones(len(part)), self._is_open
        compared = ComparedRows(
            labels=self._clicks[part],
            users=self._users[part],
            units=self._units[part],
            num_units=self.num_units,
            weights=self._weights[part],
        )
        return {
            "rows": self._sum(part),
            "share": self._ratio(part, every),
            "exposure_share": self._ratio(
                part * self._chosen * is_open, self._chosen * is_open
            ),
            "exposure": self._ratio(
                part * self._chosen * is_open, part * is_open
            ),
            "opportunity": self._ratio(
                part * self._chosen * self._clicks * is_open,
                part * self._clicks * is_open,
            ),
            "calibration": self._ratio(part * probs, part * self._clicks),
            "log_loss": self._ratio(part * np.logaddexp(0, z), part),
            "auc": statistics.auc(compared, self._logits[part]),
        }

    def _sum(self, values: NDArray) -> Callable[[NDArray], Floats]:
        of_units = np.bincount(
            self._units, self._weights * values, self.num_units
        )
        return lambda weights: of_units @ weights

    def _ratio(
        self, above: NDArray, below: NDArray
    ) -> Callable[[NDArray], Floats]:
        numerator, denominator = self._sum(above), self._sum(below)

        def of(weights: NDArray) -> Floats:
            size = denominator(weights)
            found = np.full(len(size), np.nan)
            np.divide(numerator(weights), size, out=found, where=size > 0)
            return found

        return of


def _gaps(
    names: list[str],
    values: Mapping[tuple[str, str], float],
    samples: Mapping[tuple, Floats],
) -> list[Gap]:
    gaps = []
    for measure in _COMPARED:
        known = [n for n in names if not np.isnan(values[n, measure])]
        if len(known) < 2:
            continue
        known.sort(key=lambda name: values[name, measure])
        low, high = known[0], known[-1]
        least, most = samples[low, measure], samples[high, measure]
        ratios = np.full(len(most), np.nan)
        np.divide(least, most, out=ratios, where=most > 0)
        largest = values[high, measure]
        gaps.append(
            Gap(
                measure,
                high,
                low,
                largest - values[low, measure],
                *_interval(most - least),
                values[low, measure] / largest if largest else float("nan"),
                *_interval(ratios),
            )
        )
    return gaps


def _interval(samples: Floats) -> tuple[float, float]:
    """The middle 95 % of what is defined."""
    known = samples[~np.isnan(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, _ENDS)
    return float(low), float(high)
