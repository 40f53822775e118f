"""What an ad's text is worth to anybody, before the first step."""

import numpy as np

from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.text_units import text_units

_FOLDS = 4
#: Ridge penalties, as multiples of the mean curvature of a weight.
_PENALTIES = 10.0 ** np.arange(-2, 4, 0.5)
#: The share of rows that are late, and how few rows an ad has that is new.
_LATE, _FEW = 0.25, 10
#: Rows that are summed up at once.
_AT_ONCE = 4096


def start_appeal(
    ranker: AdRanker,
    ads: np.ndarray,
    users: np.ndarray,
    times: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Sets the appeal of texts to what training rows tell of it.

    Where most of what is shown is new, that is: more than half of the last
    quarter of the rows show ads with fewer than 10 rows before. Where ads stay,
    their own biases tell more, and the appeal stays zero.

    Only the rows of one user are compared, in whom the level of a user, a
    session or a test has no part: from the user's mean y of the labels and x of
    the texts, the appeal a is the first step of Newton's method of a logistic
    regression with a level for each user, of ridge penalty p,

        C = sum w r (1 - r) (x_i - x)(x_i - x)'
        a = (C + p I)^-1 sum w (x_i - x)(y_i - y)

    where r is the rate of all rows and w their weights. Which p is best is told
    by rows of users and of ads that are both left out, a quarter of each: what
    an ad has shown itself is for its own bias to learn. Where no penalty makes
    a of any use for these, the appeal stays zero.

    Args:
      ranker: built and not yet trained. Without a `text_matching`, or where its
        logit is of a task with real labels, nothing is done.
      ads: int32 [n], rows of the catalogue.
      users: int [n]; rows of unlike numbers are not compared.
      times: int [n].
      labels: [n], of the task whose logit the text raises, 0 and 1.
      weights: [n] >= 0, how many rows each stands for.

    Reference:
      Hoerl and Kennard, "Ridge Regression", Technometrics 1970, for p; the
      levels are those of Chamberlain, "Analysis of Covariance with Qualitative
      Data", Review of Economic Studies 1980.
    """
    if (
        ranker.text_matching is None
        or not ranker.task_losses[ranker.biased_task].is_binary
        or not _mostly_new(ads, times, weights)
    ):
        return
    shown, places = np.unique(ads, return_inverse=True)
    tower = ranker.ad_tower
    units = np.concatenate(list(text_units(tower, shown)))
    tower.text_space.appeal.assign(
        fit_appeal(units, places, users, labels, weights)
    )


def _mostly_new(ads, times, weights) -> bool:
    """Whether late rows show ads that hardly had any rows before."""
    if not len(ads):
        return False
    is_late = times > np.quantile(times, 1 - _LATE)
    before = np.bincount(ads[~is_late], minlength=ads.max() + 1)
    is_new = before[ads[is_late]] < _FEW
    return bool(weights[is_late] @ is_new > weights[is_late].sum() / 2)


def fit_appeal(
    units: np.ndarray,
    places: np.ndarray,
    users: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """The appeal, float64 [W]; see `start_appeal`.

    Args:
      units: float [ads, W].
      places: int [n], of the ad of a row.
      users: int [n].
      labels: [n].
      weights: [n].
    """
    width = units.shape[1]
    nothing = np.zeros(width)
    if not weights.sum():
        return nothing
    rate = np.average(labels, weights=weights)
    _, users = np.unique(users, return_inverse=True)
    # By the parts of users and of ads: [4, 4, W, W] and [4, 4, W].
    parts = [
        _sums(units, places[rows], users[rows], labels[rows], weights[rows])
        for rows in (np.flatnonzero(users % _FOLDS == k) for k in range(_FOLDS))
    ]
    curves = rate * (1 - rate) * np.stack([curve for curve, _ in parts])
    slopes = np.stack([slope for _, slope in parts])
    curve, slope = curves.sum((0, 1)), slopes.sum((0, 1))
    mean = np.trace(curve) / width
    if not mean > 0:
        return nothing
    penalties = [mean * each * np.eye(width) for each in _PENALTIES]

    def gain(penalty) -> float:
        """By how much the likelihood of what is left out is higher."""
        gained = 0.0
        for k in range(_FOLDS):
            others = np.arange(_FOLDS) != k
            a = np.linalg.solve(
                curves[others][:, others].sum((0, 1)) + penalty,
                slopes[others][:, others].sum((0, 1)),
            )
            gained += slopes[k, k] @ a - a @ curves[k, k] @ a / 2
        return gained

    gains = list(map(gain, penalties))
    best = int(np.argmax(gains))
    if gains[best] <= 0:
        return nothing
    return np.linalg.solve(curve + penalties[best], slope)


def _sums(units, places, users, labels, weights):
    """Sums over rows of x x' and x y, both less the mean of their user.

    By the part of the row's ad: [4, W, W] and [4, W].
    """
    width = units.shape[1]
    curves, slopes = np.zeros([_FOLDS, width, width]), np.zeros([_FOLDS, width])
    order = np.argsort(users, kind="stable")
    begins = np.flatnonzero(np.diff(users[order], prepend=-1))
    # Whole users, some rows at once.
    for first, last in _stretches(begins, len(order)):
        rows = order[first:last]
        x, w = units[places[rows]].astype(np.float64), weights[rows]
        starts = begins[(begins >= first) & (begins < last)] - first
        sizes = np.diff(starts, append=last - first)
        total = np.maximum(np.add.reduceat(w, starts), 1e-12)
        both = np.column_stack([x, labels[rows]])
        means = np.add.reduceat(both * w[:, None], starts) / total[:, None]
        both -= np.repeat(means, sizes, axis=0)
        for k in range(_FOLDS):
            part = places[rows] % _FOLDS == k
            x, y = both[part, :-1], both[part, -1]
            weighted = x * w[part, None]
            curves[k] += weighted.T @ x
            slopes[k] += weighted.T @ y
    return curves, slopes


def _stretches(begins, count):
    """First and last rows of whole users, some `_AT_ONCE` rows each."""
    first = 0
    while first < count:
        after = begins[begins >= first + _AT_ONCE]
        last = int(after[0]) if len(after) else count
        yield first, last
        first = last
