"""Ads to a few numbers each, such that what users thought of them is told."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

#: Rows that a level is drawn to zero by, of a user as of an ad.
LEVEL_PENALTY = 10.0
#: Penalties of factors that are tried, as multiples of a residual's variance.
_PENALTIES = (4.0, 8.0, 16.0, 32.0)
#: Of the penalty that ads' factors are found with, what a user's weights have.
_OF_USERS = 0.5
_SWEEPS, _ROUNDS = 6, 20
#: One user in so many tells which penalty is best.
_HELD_OUT = 4
#: Users or ads of few rows whose regressions are solved at once, and of how
#: many rows they are solved one by one.
_AT_ONCE, _MANY = 1 << 14, 32
#: Rows at about which it is told which penalty is best.
_CHOSEN = 2**17
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
    *,
    to_the_end: bool = False,
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
    and the first half of their rows the second half is told. Where there are
    many rows, that is of users with about 130,000 of them.

    Args:
      users: int [n], the rows of a user in the order of time.
      ads: int [n], below `num_ads`.
      codes: int [n], indices of `start`.
      start: float [codes], what codes are worth at first.
      num_ads: N.
      rank: K >= 1.
      penalty: that of `Factors`, > 0; None to find which one is best.
      to_the_end: whether factors begin at the main directions of the table of
        rows, from where six sweeps come to the end. From small numbers drawn
        by chance they do not, and what is faint is left out.

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

    random = np.random.default_rng(0)
    begin = random.normal(0.0, _SMALL, [num_ads, rank])

    def told(rows, penalty):
        held = penalty / _OF_USERS
        of_rows = users[rows], ads[rows], rest[rows]
        factors = begin
        if to_the_end:
            factors = _directions(*of_rows, begin)
        factors = _alternate(*of_rows, factors, held)
        return Factors(levels, factors, values, penalty)

    if penalty is None:
        noise = _OF_USERS * max(float(rest.var()), 1e-9)
        tried = [each * noise for each in _PENALTIES]
        every = -(-len(users) // _CHOSEN)
        is_held = users % (_HELD_OUT * every) == 0
        known = (users % every == 0) & ~is_held
        if is_held.any() and known.any():
            rows = users[is_held], ads[is_held], worth[is_held]
            errors = [_error(told(known, each), *rows) for each in tried]
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


def _alternate(users, ads, rest, factors, penalty):
    """Factors of ads by alternating least squares from others, [N, K]."""
    num_ads = len(factors)
    by_user = _Ridges(users, users.max() + 1, penalty)
    by_ad = _Ridges(ads, num_ads, penalty)
    for _ in range(_SWEEPS):
        weights = by_user.fit(factors, ads, rest)
        factors = by_ad.fit(weights, users, rest)
    return factors


def _directions(users, ads, rest, factors):
    """The main directions of the table of rows in the place of factors."""
    num_ads, rank = factors.shape
    factors = factors.copy()
    table = scipy.sparse.csr_matrix(
        (rest, (users, ads)), shape=[users.max() + 1, num_ads]
    )
    found = min(rank, min(table.shape) - 1)
    # What a user said of an ad may cancel out; nothing has no directions.
    if found > 0 and table.count_nonzero():
        # A start of its own makes the same of the same rows.
        begin = np.random.default_rng(0).normal(size=min(table.shape))
        _, sizes, axes = scipy.sparse.linalg.svds(table, found, v0=begin)
        factors[:, :found] = axes.T * np.sqrt(np.maximum(sizes, 0))
    return factors


class _Ridges:
    """A ridge regression of each group of rows.

    Groups of few rows are solved many at a time, and others one by one.

    Args:
      groups: int [n], below `count`.
      count: of groups; one without rows has zeros.
      penalty: of squares.
    """

    def __init__(self, groups: np.ndarray, count: int, penalty: float) -> None:
        sizes = np.bincount(groups, minlength=count)
        is_large = sizes >= _MANY
        self._small = np.flatnonzero((sizes > 0) & ~is_large)
        self._known = np.append(self._small, np.flatnonzero(is_large))
        self._ends = np.append(0, np.cumsum(sizes[self._known]))
        place = groups + count * is_large[groups]
        self._order = np.argsort(place, kind="stable")
        self._count, self._penalty = count, penalty

    def fit(
        self, table: np.ndarray, of_rows: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        """Weights [count, K] by which y is told from rows of a table [m, K].

        Args:
          table: what rows lean on.
          of_rows: int [n], which row of it.
          y: [n].
        """
        rank = table.shape[1]
        ridge = self._penalty * np.eye(rank)
        found = np.zeros([self._count, rank])
        of_rows, y = of_rows[self._order], y[self._order]
        small = len(self._small)
        for begin in range(0, small, _AT_ONCE):
            end = min(begin + _AT_ONCE, small)
            ends = self._ends[begin : end + 1]
            part, starts = slice(ends[0], ends[-1]), ends[:-1] - ends[0]
            x = table[of_rows[part]]
            products = np.empty([len(starts), rank, rank])
            for i in range(rank):
                sums = np.add.reduceat(x[:, i:] * x[:, i : i + 1], starts)
                products[:, i, i:] = products[:, i:, i] = sums
            sums = np.add.reduceat(x * y[part, None], starts)
            found[self._known[begin:end]] = np.linalg.solve(
                products + ridge, sums[..., None]
            )[..., 0]
        for one in range(small, len(self._known)):
            part = slice(self._ends[one], self._ends[one + 1])
            x = table[of_rows[part]]
            found[self._known[one]] = _ridge(x, y[part], ridge)
        return found


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
