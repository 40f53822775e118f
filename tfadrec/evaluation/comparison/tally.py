"""Models compared on more rows than any memory holds."""

import hashlib
import itertools
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tfadrec.core.errors import InputError
from tfadrec.evaluation.comparison.compared_rows import Floats
from tfadrec.evaluation.comparison.difference import Difference
from tfadrec.evaluation.comparison.resampling import resample
from tfadrec.evaluation.comparison.sampled import (
    Sampled,
    difference_of,
    equal_units,
    with_holm,
)
from tfadrec.evaluation.comparison.statistics import (
    Statistic,
    ratio,
    row_losses,
)
from tfadrec.metrics.rows import Rows

#: Groups of users that are drawn: a standard error is known within 3 %.
UNITS = 512
#: Bins of scores: 64 MB for a model and a part of the rows.
BINS = 8192
_REPLICATES = 1000
_METRICS = ("auc", "log_loss")
_ALL = "all"


class Tally:
    """Rows of several models, counted block by block.

    Its memory does not depend on the rows. Users are dealt into groups by a
    hash of their ids, and the groups are what is drawn again: sums over a group
    are independent as users are. Log loss is exact. The AUC is of scores in
    bins,
    whose edges are quantiles of the first block; rows of a bin count half, and
    `auc_error` says by how much it can be off at most: half of the pairs that
    share a bin, as a share of all pairs.

    Args:
      models: names, two at least; the first is the reference.
      parts: names of slices, beside all rows.
      task: what the label is called.
      units: groups of users.
      bins: of scores.
      seed: of the samples.

    Raises:
      InputError: where there are not two models.

    Example:
      >>> tally = Tally(["live", "new"])
      >>> for labels, live, new, users in blocks:  # doctest: +SKIP
      ...     tally.add(labels, {"live": live, "new": new}, users)
      >>> print(differences_text(tally.differences()))  # doctest: +SKIP

    Reference:
      Chamandy et al., "Estimating Uncertainty for Massive Data Streams",
      Google, 2012, section 3.
    """

    def __init__(
        self,
        models: Sequence[str],
        *,
        parts: Sequence[str] = (),
        task: str = "clicked",
        units: int = UNITS,
        bins: int = BINS,
        seed: int = 0,
    ) -> None:
        if len(set(models)) < 2:
            raise InputError(
                "a comparison needs two models. Received: "
                f"{', '.join(models) or 'none'}."
            )
        self._models, self._task, self._seed = list(models), task, seed
        self._parts = [_ALL, *parts]
        self._units, self._bins = units, bins
        self._edges: dict[str, Floats] = {}
        keys = list(itertools.product(self._parts, self._models))
        #: (part, model) -> rows by class, bin and unit.
        self._counts = {key: np.zeros([2, bins, units]) for key in keys}
        self._losses = {key: np.zeros(units) for key in keys}
        #: Part -> a digest of which rows are its.
        self._digests = {part: hashlib.sha256() for part in self._parts}
        self.rows = 0

    def add(
        self,
        labels: ArrayLike,
        logits: Mapping[str, ArrayLike],
        users: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        parts: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        """Counts a block of rows.

        Args:
          labels: [n], 0 or 1.
          logits: model -> [n], finite.
          users: [n], integers or texts.
          weights: [n], how many rows each row stands for.
          parts: slice -> bool [n].

        Raises:
          InputError: where a model or a part is missing, or lengths differ.
        """
        labels = np.asarray(labels)
        weights = (
            np.ones(len(labels))
            if weights is None
            else np.asarray(weights, np.float64)
        )
        scores = {name: _of(logits, name, len(labels)) for name in self._models}
        masks = {_ALL: np.ones(len(labels), bool)} | {
            name: _of(parts or {}, name, len(labels)).astype(bool)
            for name in self._parts[1:]
        }
        if not len(labels):
            return
        for part, mask in masks.items():
            self._digests[part].update(np.packbits(mask).tobytes())
        units = units_of(users, self._units)
        for name, given in scores.items():
            clicks, values = Rows(labels, given).read(slice(None))
            if name not in self._edges:
                self._edges[name] = _quantiles(values, self._bins)
            bins = np.searchsorted(self._edges[name], values, side="right")
            place = (clicks * self._bins + bins) * self._units + units
            losses = weights * row_losses(clicks, values)
            for part, mask in masks.items():
                counts = self._counts[part, name]
                counts += np.bincount(
                    place[mask], weights[mask], counts.size
                ).reshape(counts.shape)
                self._losses[part, name] += np.bincount(
                    units[mask], losses[mask], self._units
                )
        self.rows += len(labels)

    @property
    def auc_error(self) -> dict[str, float]:
        """Model -> by how much its AUC of all rows can be off at most."""
        found = {}
        for name in self._models:
            others, clicks = self._counts[_ALL, name].sum(axis=2)
            pairs = clicks.sum() * others.sum()
            shared = float(clicks @ others) / 2
            found[name] = shared / pairs if pairs else float("nan")
        return found

    def differences(self, replicates: int = _REPLICATES) -> list[Difference]:
        """Every model against the first, in AUC and log loss; see the function.

        Args:
          replicates: samples of the groups of users, >= 2.
        """
        statistics: dict[tuple, Statistic] = {}
        for (part, name), counts in self._counts.items():
            statistics[part, "auc", name] = _binned_auc(*counts)
            sizes = counts.sum(axis=(0, 1))
            statistics[part, "log_loss", name] = _mean(
                self._losses[part, name], sizes
            )
        drawn = resample(
            statistics, self._units, self._bins, replicates, self._seed
        )
        once = np.ones([self._units, 1])
        sampled = {
            key: Sampled([float(statistic(once)[0])], drawn[key])
            for key, statistic in statistics.items()
        }
        same = {part: own.digest() for part, own in self._digests.items()}
        reference, *others = self._models
        found = []
        for metric in _METRICS:
            pairs = [
                difference_of(
                    *(self._task, metric, part, (name, reference)),
                    *(sampled, self._freedom(part), "user"),
                )
                for part in self._parts
                for name in others
            ]
            found += with_holm(pairs, same)
        return found

    def _freedom(self, part: str) -> float:
        """Groups of users that there are to learn from, less one."""
        of_class = self._counts[part, self._models[0]].sum(axis=1)
        sizes = of_class.sum(axis=0)
        if not sizes.any():
            return 0.0
        with_class = [float((own > 0).sum()) for own in of_class]
        return min(equal_units(sizes), *with_class) - 1.0


def units_of(users: ArrayLike, units: int) -> NDArray[np.int64]:
    """The group of each user, by a hash that is the same in every process.

    Args:
      users: [n], integers or texts.
      units: how many groups there are.
    """
    users = np.asarray(users)
    if users.dtype.kind not in "iu":
        texts, place = np.unique(users.astype(str), return_inverse=True)
        own = [zlib.crc32(text.encode()) for text in texts.tolist()]
        users = np.array(own, np.int64)[place.reshape(-1)]
    mixed = users.astype(np.uint64)
    # SplitMix64 (Steele, Lea and Flood, 2014): ids in a row fall apart.
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed % np.uint64(units)).astype(np.int64)


def _of(given: Mapping[str, ArrayLike], name: str, rows: int) -> NDArray:
    values = np.asarray(given.get(name, ()))
    if values.shape != (rows,):
        raise InputError(
            "a block has a value of each of its rows for every model and part. "
            f"Received: {values.shape} of {name!r}, and {rows} labels."
        )
    return values


def _quantiles(values: NDArray, bins: int) -> Floats:
    """At most `bins - 1` distinct edges with as many values between them."""
    shares = np.linspace(0, 1, bins + 1)[1:-1]
    return np.unique(np.quantile(values.astype(np.float64), shares))


def _binned_auc(others: Floats, clicks: Floats) -> Statistic:
    """The AUC of rows by bin and unit, [bins, U] each; a bin is a tie."""

    def of(weights: NDArray) -> Floats:
        hits, rest = clicks @ weights, others @ weights
        beaten = np.cumsum(rest, axis=0) - rest / 2
        won = np.einsum("kb,kb->b", hits, beaten)
        return ratio(won, hits.sum(axis=0) * rest.sum(axis=0))

    return of


def _mean(sums: Floats, sizes: Floats) -> Statistic:
    return lambda weights: ratio(sums @ weights, sizes @ weights)
