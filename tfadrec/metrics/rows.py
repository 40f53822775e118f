"""The rows that a metric is of, read some at a time."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.near_one import near_one
from tfadrec.metrics import checks
from tfadrec.metrics.sorted_rows import Floats, Ints, SortedRows

#: Rows that are read at a time, so that they stay in the cache.
_BLOCK = 1 << 16
#: Rows that are sorted at a time, some 100 bytes each. Every range of so many
#: is another pass over all rows, which takes a nanosecond for each of them.
_AT_ONCE = 1 << 20
#: Rows that tell where ranges end: one of so many, and so many in all.
_SAMPLED, _MOST_SAMPLED = 64, 1 << 18

#: Some rows, as a slice or as their numbers.
Part = slice | Ints
#: Labels and scores of some rows to a number of each.
OfRows = Callable[[NDArray, Floats], NDArray]
#: Where a range ends: a group, and a score within it.
_Bound = tuple[np.integer | None, np.floating | None]


class Rows:
    """Labels and scores of rows, checked, with their weights and groups.

    Arrays are read where they are, which may be a file, and never copied as a
    whole. What is worked out at a time is of a block of rows, or of a range of
    rows that are next to one another in an order.

    Args:
      labels: [n], 0 or 1; or amounts.
      scores: [n], finite.
      weights: [n], how many rows each stands for; None = one.
      groups: [n], integers or strings, such as users; None = one group.
      where: bool [n], the rows that count; None = all.
      amounts: whether labels are any finite numbers.

    Raises:
      InputError: where an argument breaks these rules, or no row counts.
    """

    def __init__(
        self,
        labels: ArrayLike,
        scores: ArrayLike,
        weights: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        where: ArrayLike | None = None,
        *,
        amounts: bool = False,
    ):
        marks, values = checks.aligned(labels, scores)
        self._rows = len(marks)
        self._where = checks.mask(where, self._rows)
        #: Rows that count.
        self.count = self._rows
        if self._where is not None:
            self.count = int(np.count_nonzero(self._where))
        self._amounts = amounts
        self._labels = self._checked_labels(marks)
        self._scores = checks.numbers(
            values, "Scores", "Pass the model's logits."
        )
        self._check(
            (self._scores[part].astype(np.float64) for part in self.parts()),
            np.isfinite,
            "Scores must be finite",
            "A model that diverged gives such scores: lower its learning "
            "rate, and correct labels that are far from all others "
            "(`tfadrec doctor` finds them).",
        )
        self._groups = (
            None if groups is None else checks.groups(groups, self._rows)
        )
        self._weights = None
        if weights is not None:
            self._weights = checks.weights(weights, self._rows)
            self._heaviest = self._checked_weights(self._weights)

    def parts(self) -> Iterator[Part]:
        """The rows that count, block by block."""
        for begin in range(0, self._rows, _BLOCK):
            block = slice(begin, min(begin + _BLOCK, self._rows))
            if self._where is None or self._where[block].all():
                yield block
            elif self._where[block].any():
                yield begin + np.flatnonzero(self._where[block])

    def read(self, part: Part) -> tuple[NDArray, Floats]:
        """Labels, bool or float64 amounts, and float64 scores of some rows."""
        labels = self._labels[part]
        labels = labels.astype(np.float64) if self._amounts else labels == 1
        return labels, self._scores[part].astype(np.float64)

    def weigh(self, values: NDArray, part: Part) -> NDArray:
        """Numbers of some rows, as often as the rows count."""
        if self._weights is None:
            return values
        weights = self._weights[part].astype(np.float64)
        return values * near_one(weights, self._heaviest)

    def sum(self, of: OfRows) -> float:
        """The sum of a number of each row.

        Sums of blocks are added without rounding.
        """
        return math.fsum(
            float(self.weigh(of(*self.read(part)), part).sum())
            for part in self.parts()
        )

    def total(self) -> float:
        """The sum of the weights; without any, the rows that count."""
        if self._weights is None:
            return float(self.count)
        return self.sum(lambda labels, _: np.ones(len(labels)))

    def mean(self, of: OfRows) -> float:
        """The mean of a number of each row."""
        return self.sum(of) / self.total()

    def sums_by_group(self, *of: OfRows) -> Iterator[Floats]:
        """The sums of numbers of rows in each group, float64 [k, g].

        The groups come some at a time, none of them twice. Without groups every
        row is one.

        Args:
          *of: k numbers of each row.
        """
        if self._groups is None:
            for part in self.parts():
                read = self.read(part)
                yield np.stack([self.weigh(f(*read), part) for f in of])
            return
        for chunks in self.ranges(whole=True):
            found = [
                self._sums(part, self._groups[part], of) for part in chunks
            ]
            if len(found) > 1:
                keys, sums = zip(*found, strict=True)
                found = [_summed(np.concatenate(keys), np.hstack(sums))]
            for _, sums in found:
                yield sums

    def mean_of_groups(self, of: Callable[[SortedRows], Floats]) -> float:
        """The mean of a number of each group that has both kinds of rows.

        Args:
          of: some groups in order to a number of each.

        Returns:
          The mean; nan where there is no such group.
        """
        sums, count = [], 0
        for some in self.in_order(whole=True):
            sums.append(float(of(some)[some.has_both].sum()))
            count += int(np.count_nonzero(some.has_both))
        return math.fsum(sums) / count if count else float("nan")

    def in_order(self, *, whole: bool = False) -> Iterator[SortedRows]:
        """Ranges of rows in the order of groups, and of falling scores.

        Args:
          whole: whether groups are held whole. Else a group may go on in the
            next range, with lower scores; so memory has a bound however large
            it is, as rows of one score are a tie.
        """
        for chunks in self.ranges(whole=whole):
            found = None
            for part in chunks:
                some = self.sorted(part)
                found = some if found is None else found.merged(some)
            if found is not None:
                yield found

    def sorted(self, part: Ints) -> SortedRows:
        """Some rows in order."""
        clicks = self._labels[part] == 1
        others = ~clicks
        return SortedRows(
            self._keys(part),
            None if self._groups is None else self._groups[part],
            self.weigh(clicks, part),
            self.weigh(others, part),
        )

    def ranges(self, *, whole: bool) -> Iterator[Iterator[Ints]]:
        """Ranges of rows in an order, each as numbers of some of its rows.

        Args:
          whole: see `in_order`.
        """
        bounds = [None, *self._bounds(whole), None]
        for first, last in itertools.pairwise(bounds):
            yield self._within(first, last)

    def _sums(
        self, part: Ints, groups: NDArray, of: tuple[OfRows, ...]
    ) -> tuple[NDArray, Floats]:
        """The groups of some rows, and sums of numbers of them."""
        read = self.read(part)
        return _summed(groups, [self.weigh(f(*read), part) for f in of])

    def _within(
        self, first: _Bound | None, last: _Bound | None
    ) -> Iterator[Ints]:
        """The rows of a range, no more than can be sorted at a time."""
        held, count = [], 0
        for part in self.parts():
            rows = (
                np.arange(part.start, part.stop)
                if isinstance(part, slice)
                else part
            )
            if first is not None or last is not None:
                is_inside = np.ones(len(rows), bool)
                if first is not None:
                    is_inside &= self._after(part, first)
                if last is not None:
                    is_inside &= ~self._after(part, last)
                rows = rows[is_inside]
            held.append(rows)
            count += len(rows)
            # Ranges are about as large as they should be.
            if count > 2 * _AT_ONCE:
                yield np.concatenate(held)
                held, count = [], 0
        if count:
            yield np.concatenate(held)

    def _after(self, part: Part, bound: _Bound) -> NDArray[np.bool_]:
        group, score = bound
        if self._groups is None:
            return self._keys(part) <= score
        own = self._groups[part]
        if score is None:
            return own >= group
        return (own > group) | ((own == group) & (self._keys(part) <= score))

    def _bounds(self, whole: bool) -> list[_Bound]:
        """Where ranges begin, by a sample of the rows."""
        ranges = -(-self.count // _AT_ONCE)
        if ranges == 1:
            return []
        random = np.random.default_rng(0)
        every = max(_SAMPLED, self.count // _MOST_SAMPLED)
        groups, scores = [], []
        for part in self.parts():
            keys = self._keys(part)
            some = random.integers(len(keys), size=-(-len(keys) // every))
            scores.append(keys[some])
            if self._groups is not None:
                groups.append(self._groups[part][some])
        sample = SortedRows(
            np.concatenate(scores),
            np.concatenate(groups) if groups else None,
            *2 * [np.ones(sum(map(len, scores)), bool)],
        )
        ends = np.cumsum(sample.tie_sizes)
        places = np.searchsorted(
            ends, np.arange(1, ranges) * ends[-1] // ranges, side="right"
        )
        of_tie = sample.groups[sample.group_of_tie]
        return list(
            dict.fromkeys(
                (of_tie[n], None if whole else sample.tie_scores[n])
                for n in places
            )
        )

    def _keys(self, part: Part) -> NDArray:
        """Scores to sort by, of the width that they have."""
        scores = self._scores[part]
        if scores.dtype in (np.float32, np.float64):
            return scores
        return scores.astype(np.float64)

    def _checked_labels(self, labels: NDArray) -> NDArray:
        if not self._amounts:
            self._check(
                (labels[part] for part in self.parts()),
                lambda some: (some == 0) | (some == 1),
                "Labels must be 0 or 1",
                "Remove or recode those rows.",
            )
            return labels
        found = checks.numbers(
            labels, "Labels", "Pass the amounts that were observed."
        )
        self._check(
            (found[part].astype(np.float64) for part in self.parts()),
            np.isfinite,
            "Labels must be finite",
            "Remove those rows.",
        )
        return found

    def _checked_weights(self, weights: NDArray) -> float:
        """The largest weight."""
        self._check(
            (weights[part].astype(np.float64) for part in self.parts()),
            lambda some: (some >= 0) & np.isfinite(some),
            "Weights must be finite and >= 0",
            "Remove or mend those rows.",
        )
        largest = max(float(weights[part].max()) for part in self.parts())
        if not largest:
            raise InputError(
                "A metric needs a row with a weight > 0. Received: weights "
                "that are all 0. Check how they were counted."
            )
        return largest

    def _check(
        self,
        values: Iterator[NDArray],
        is_right: Callable[[NDArray], NDArray],
        rule: str,
        mend: str,
    ) -> None:
        checks.every(values, is_right, self.count, rule, mend)


def _summed(
    groups: NDArray, columns: Iterable[NDArray]
) -> tuple[NDArray, Floats]:
    """Each group once, and the sums of columns in it, [k, g]."""
    own, place = np.unique(groups, return_inverse=True)
    sums = [np.bincount(place, column, len(own)) for column in columns]
    return own, np.stack(sums)
