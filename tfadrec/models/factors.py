"""Ads to a few numbers each, such that what users thought of them is told."""

import dataclasses
from collections.abc import Iterator

import numpy as np

#: Rows that a level is drawn to zero by, of a user as of an ad.
LEVEL_PENALTY = 10.0
#: Penalties of factors that are tried, as multiples of a residual's variance.
_PENALTIES = (4.0, 8.0, 16.0, 32.0)
#: Of the penalty that ads' factors are found with, what a user's weights have.
_OF_USERS = 0.5
_SWEEPS, _ROUNDS = 6, 20
#: One user in so many tells which penalty is best.
_HELD_OUT = 4
#: The size of factors at the start.
_SMALL = 0.1


@dataclasses.dataclass(frozen=True)
class Factors:
    """What `fit_factors` gives.

    Args:
      levels: float64 [N], of ads.
      factors: float64 [N, K], of ads.
      values: float64 [codes], what each code is worth.
      penalty: of a user's weights of the factors.
    """

    levels: np.ndarray
    factors: np.ndarray
    values: np.ndarray
    penalty: float


def fit_factors(
    users: np.ndarray,
    ads: np.ndarray,
    codes: np.ndarray,
    start: np.ndarray,
    num_ads: int,
    rank: int,
    penalty: float | None = None,
) -> Factors | None:
    """Levels and factors of ads, and what codes of opinions are worth.

    A row says that a user met an ad, and by a code what came of it: one of five
    stars, a click, nothing. What a code is worth is that for which users and
    ads agree with themselves best: the mean, over the rows of the code, of what
    the other rows of their user and of their ad are worth, again and again
    until that stays (Guttman's reciprocal averages). Worth y of a row is then
    told as

        y = level of the user + level of the ad
            + (weights of the user) . (factors of the ad)

    with ridge penalties, user by user and ad by ad in turn. Which penalty is
    best is told by every fourth user, left out: from the factors of the others
    and the first half of their rows the second half is told.

    Args:
      users: int [n], the rows of a user in the order of time.
      ads: int [n], below `num_ads`.
      codes: int [n], indices of `start`.
      start: float [codes], what codes are worth at first.
      num_ads: N.
      rank: K >= 1.
      penalty: that of `Factors`, > 0; None to find which one is best.

    Returns:
      The factors; None where all rows are worth the same.

    Reference:
      Guttman, "The Quantification of a Class of Attributes", 1941; Koren, Bell,
      Volinsky, "Matrix Factorization Techniques for Recommender Systems", IEEE
      Computer 2009, for the model and alternating least squares.
    """
    if not len(users):
        return None
    _, users = np.unique(users, return_inverse=True)
    values = _worth(users, ads, codes, start, num_ads)
    if values is None:
        return None
    worth = values[codes]
    of_users, levels = _levels(users, ads, worth, num_ads)
    rest = worth - of_users[users] - levels[ads]

    def told(rows, penalty):
        held = penalty / _OF_USERS
        factors = _alternate(
            users[rows], ads[rows], rest[rows], num_ads, rank, held
        )
        return Factors(levels, factors, values, penalty)

    if penalty is None:
        noise = _OF_USERS * max(float(rest.var()), 1e-9)
        tried = [each * noise for each in _PENALTIES]
        is_held = users % _HELD_OUT == 0
        if is_held.any() and not is_held.all():
            rows = users[is_held], ads[is_held], worth[is_held]
            errors = [_error(told(~is_held, each), *rows) for each in tried]
            penalty = tried[int(np.argmin(errors))]
        else:
            penalty = tried[-1]
    return told(slice(None), penalty)


def _worth(users, ads, codes, start, num_ads) -> np.ndarray | None:
    """What each code is worth, mean 0 and variance 1 over rows."""
    counts = np.bincount(codes, minlength=len(start))

    def scaled(values):
        values = values - np.average(values, weights=counts)
        spread = np.sqrt(np.average(values**2, weights=counts))
        return values / spread if spread > 1e-9 else None

    values = scaled(np.asarray(start, np.float64))
    for _ in range(_ROUNDS if values is not None else 0):
        worth = values[codes]
        of_users, of_ads = _levels(users, ads, worth, num_ads)
        told = _of_others(users, worth - of_ads[ads])
        told += _of_others(ads, worth - of_users[users])
        sums = np.bincount(codes, told, len(start))
        found = scaled(sums / np.maximum(counts, 1))
        if found is None:  # nobody agrees with himself
            break
        values = (
            found if np.average(found * values, weights=counts) > 0 else -found
        )
    return values


def _of_others(groups, values):
    """The level of a row's group by its other rows, [n]."""
    sums, counts = np.bincount(groups, values), np.bincount(groups)
    others = sums[groups] - values
    return others / (counts[groups] - 1 + LEVEL_PENALTY)


def _levels(users, ads, worth, num_ads):
    """Levels of users and of ads that tell the rows together."""
    of_users, of_ads = np.zeros(users.max() + 1), np.zeros(num_ads)
    for _ in range(4):
        of_ads = _level(ads, worth - of_users[users], num_ads)
        of_users = _level(users, worth - of_ads[ads], len(of_users))
    return of_users, of_ads


def _level(groups, values, count):
    sums = np.bincount(groups, values, count)
    return sums / (np.bincount(groups, minlength=count) + LEVEL_PENALTY)


def _alternate(users, ads, rest, num_ads, rank, penalty):
    """Factors of ads by alternating least squares, [N, K]."""
    random = np.random.default_rng(0)
    factors = random.normal(0.0, _SMALL, [num_ads, rank])
    by_user, by_ad = list(_groups(users)), list(_groups(ads))
    ridge = penalty * np.eye(rank)
    for _ in range(_SWEEPS):
        weights = np.zeros([users.max() + 1, rank])
        for one, rows in by_user:
            weights[one] = _ridge(factors[ads[rows]], rest[rows], ridge)
        factors = np.zeros([num_ads, rank])
        for one, rows in by_ad:
            factors[one] = _ridge(weights[users[rows]], rest[rows], ridge)
    return factors


def _ridge(x, y, ridge):
    return np.linalg.solve(x.T @ x + ridge, x.T @ y)


def _groups(numbers) -> Iterator[tuple[int, np.ndarray]]:
    """Each number, and the places where it stands, in their order."""
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        yield int(numbers[rows[0]]), rows


def _error(told, users, ads, worth) -> float:
    """Squares of what is left of later rows, told by earlier ones."""
    width = told.factors.shape[1]
    ridge = np.diag([LEVEL_PENALTY, *[told.penalty] * width])
    left = 0.0
    for _, rows in _groups(users):
        half = len(rows) // 2
        x = np.column_stack([np.ones(len(rows)), told.factors[ads[rows]]])
        y = worth[rows] - told.levels[ads[rows]]
        own = _ridge(x[:half], y[:half], ridge)
        left += float(np.sum((y[half:] - x[half:] @ own) ** 2))
    return left
