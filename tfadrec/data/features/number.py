"""A number: clipped, on a logarithmic scale on request, and standardised."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.columns import (
    as_array,
    as_floats,
    as_mask,
    as_text,
    chunks_of,
)
from tfadrec.data.features.kind import Kind

#: A number further from 0 than this counts as missing: squares of larger ones
#: leave the range of a double.
LARGEST = 1e100
#: How far a number may be: in deviations from the mean, what is further counts
#: as this far, so that one outlier cannot drive a logit; and in widths of the
#: middle from it, what is further counts for no mean.
_FAR = 10.0
#: The share of numbers below the middle, and that above it.
_TAIL = 0.05
#: A deviation of this share of the largest number is no more than rounding:
#: 0.1 + 0.2 is not quite 0.3.
_ROUNDING = 4 * float(np.finfo(np.float64).eps)
#: Numbers that are summed together, 32 MiB of them.
_BLOCK = 1 << 22


class Number(Kind):
    """A number, missing where there is none or it is not finite.

    With x clipped to the range seen, [low, high], and f(x) = sign(x) log(1 +
    |x|) where `log1p`, else x, a number is read as (f(x) - mean) / std. A
    column whose values are all alike, or differ by what calculating in doubles
    leaves, has the deviation 1. Numbers that are too
    far from the others, see `_fences`, count neither for the range nor for mean
    and deviation, and the range ends at 10 deviations from the mean.

    Settings: `log1p`; `bounds`, a list of ascending numbers that cut the range
    into buckets; or `buckets`, how many buckets of equal counts there are to
    be. In buckets a number is a category.

    Encoded as float32 [n], nan where missing, or int32 [n] for buckets, 0 where
    missing.
    """

    settings: ClassVar = {"log1p": False, "bounds": (), "buckets": 0}
    is_number: ClassVar = True
    unreadable: ClassVar = (
        "are no numbers, or beyond ±1e100, and count as missing"
    )
    mend: ClassVar = "Give numbers within ±1e100"

    def parse(self, column, separator, settings):
        """See `Kind.parse`."""
        values = as_floats(column)
        missing = ~(np.abs(values) <= LARGEST)
        broken = missing.copy()
        given = as_text(column.filter(pa.array(missing)))
        broken[missing] = as_mask(pc.not_equal(given, ""))
        return pa.array(values, mask=missing), broken

    def describe(
        self, feature, column, known, *, log1p=False, bounds=(), buckets=0
    ):
        """See `Kind.describe`."""
        return describe_number(
            feature,
            lambda: map(_floats, chunks_of(column)),
            log1p=log1p,
            bounds=bounds,
            buckets=buckets,
        )

    def encode(self, column, feature):
        """See `Kind.encode`."""
        values = _floats(as_array(column))
        return {feature.tensor: standardised(values, feature)}

    def decode(self, columns, feature):
        """See `Kind.decode`."""
        return {feature.tensor: raw_numbers(columns[feature.tensor], feature)}


def describe_number(
    feature: Feature,
    read: Callable[[], Iterable[np.ndarray]],
    *,
    log1p: bool = False,
    bounds=(),
    buckets: int = 0,
) -> Feature:
    """A feature with the range, mean and deviation of a column.

    Sums are made of blocks of `_BLOCK` numbers, so they do not depend on how
    the column is cut into arrays.

    Args:
      feature: the feature.
      read: gives the column, arrays of float64, each time it is called.
      log1p: see `Number`, and so the others.
      bounds: as above.
      buckets: as above; of more than `_BLOCK` numbers their bounds are those of
        evenly spread ones, between one and two blocks of them.

    Raises:
      InputError: where a setting is wrong.
    """
    if not isinstance(log1p, bool):
        raise InputError(
            f"`log1p` must be true or false. Received: {log1p!r} for "
            f"{feature.name!r}."
        )
    if log1p and (buckets or bounds):
        raise InputError(
            "numbers in buckets are the same on a logarithmic scale. Received: "
            f"`log1p` with `{'buckets' if buckets else 'bounds'}` for "
            f"{feature.name!r}. Leave `log1p` out."
        )
    if buckets:
        if type(buckets) is not int or not 2 <= buckets <= 10_000 or bounds:
            raise InputError(
                "`buckets` of a number must be an integer from 2 to 10,000, "
                f"and go without `bounds`. Received: buckets={buckets!r}, "
                f"bounds={bounds!r} for {feature.name!r}."
            )
        shares = np.arange(1, buckets) / buckets
        known = _some_of(_blocks(read()))
        cuts = np.quantile(known, shares) if len(known) else np.zeros(1)
        bounds = np.unique(cuts).tolist()
    edges = ascending(bounds, f"`bounds` of {feature.name!r}")
    feature = dataclasses.replace(
        feature, log1p=log1p, bounds=edges, buckets=buckets
    )
    if edges:
        return feature
    return dataclasses.replace(
        feature, **_statistics(lambda: _blocks(read()), log1p)
    )


def _statistics(
    blocks: Callable[[], Iterable[np.ndarray]], log1p: bool
) -> dict[str, Any]:
    """The range, the mean and the deviation of numbers in blocks."""

    def scaled():
        return (_scale(block, log1p) for block in blocks())

    some = _some_of(scaled())
    if not len(some):
        # Nothing can be learned of numbers that come later: all are alike.
        return {"low": 0.0, "high": 0.0}
    # Differences from the median are exact, or nearly so, where numbers are
    # large for their spread.
    median, least, most = _fences(some)
    count, total = 0, []
    ends: list[float] = []
    for block in blocks():
        values = _scale(block, log1p)
        near = (values >= least) & (values <= most)
        if near.any():
            count += int(near.sum())
            total.append(float((values[near] - median).sum()))
            ends += [float(block[near].min()), float(block[near].max())]
    shift = math.fsum(total) / count
    mean = median + shift
    squares = []
    for values in scaled():
        off = values[(values >= least) & (values <= most)] - median - shift
        squares.append(float((off * off).sum()))
    std = math.sqrt(math.fsum(squares) / count)
    largest = max(abs(float(_scale(np.array(end), log1p))) for end in ends)
    if std <= _ROUNDING * largest:
        std = 1.0
    limits = np.array([mean - _FAR * std, mean + _FAR * std])
    with np.errstate(over="ignore"):
        low, high = _unscaled(limits, log1p).tolist()
    return {
        "low": max(min(ends), low),
        "high": min(max(ends), high),
        "mean": mean,
        "std": std,
    }


def _fences(values: np.ndarray) -> tuple[float, float, float]:
    """The median, and beyond which numbers are too far from it to count.

    The middle spans the median and, of the numbers that are not just that, all
    but a twentieth at each end, and at least one: most rows may have no click,
    and one broken row of a small log is not to be believed. The fences stand 10
    widths of the middle off it. Of one or two other numbers nothing can be
    told: all count.
    """
    median = float(np.quantile(values, 0.5, method="lower"))
    others = values[values != median]
    cut = int(_TAIL * len(others)) + 1
    ends = [cut, len(others) - 1 - cut]
    if ends[0] > ends[1]:
        return median, -math.inf, math.inf
    low, high = np.partition(others, ends)[ends]
    least, most = min(median, low), max(median, high)
    away = _FAR * (most - least)
    return median, float(least - away), float(most + away)


def _blocks(arrays: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The numbers that are not missing, all blocks but the last one full."""
    waiting: list[np.ndarray] = []
    size = 0
    for values in arrays:
        known = values[np.abs(values) <= LARGEST]
        while size + len(known) >= _BLOCK:
            head, known = np.split(known, [_BLOCK - size])
            yield np.concatenate([*waiting, head])
            waiting, size = [], 0
        waiting.append(known)
        size += len(known)
    if size:
        yield np.concatenate(waiting)


def _some_of(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Evenly spread numbers: all of one block, at most two blocks of more."""
    some, step, at = np.zeros(0), 1, 0
    for block in blocks:
        some = np.concatenate([some, block[-at % step :: step]])
        at += len(block)
        if len(some) > 2 * _BLOCK:
            some, step = some[::2], 2 * step
    return some


def _floats(column: pa.Array) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)


def standardised(values: np.ndarray, feature: Feature) -> np.ndarray:
    """float64 [...] as a model reads them; see `Number`."""
    with np.errstate(invalid="ignore"):
        missing = ~(np.abs(values) <= LARGEST)
    values = _flushed(np.where(missing, 0.0, values))
    if feature.bounds:
        bounds = _flushed(np.array(feature.bounds))
        codes = np.searchsorted(bounds, values, side="right") + 1
        return np.where(missing, 0, codes).astype(np.int32)
    if feature.low is not None:
        values = np.clip(values, feature.low, feature.high)
    scaled = (_scale(values, feature.log1p) - feature.mean) / feature.std
    with np.errstate(over="ignore"):
        small = scaled.astype(np.float32)
    missing |= ~np.isfinite(small)
    return np.where(missing, np.float32(np.nan), small)


def raw_numbers(columns: np.ndarray, feature: Feature) -> np.ndarray:
    """Numbers that are read as these, float64 [...]."""
    if feature.bounds:
        edges = np.array(feature.bounds)
        inside = np.concatenate([[edges[0] - 1 - abs(edges[0])], edges])
        return np.where(columns > 0, inside[columns - 1], np.nan)
    # In float64, as a large mean would drown the digits that matter.
    scaled = columns.astype(np.float64) * feature.std + feature.mean
    scaled = _unscaled(scaled, feature.log1p)
    # Rounding must not make a number missing.
    return _short(np.clip(scaled, -LARGEST, LARGEST), columns, feature)


def _short(
    values: np.ndarray, columns: np.ndarray, feature: Feature
) -> np.ndarray:
    """Numbers with as few digits as are read alike, 30 and not 29.9999994."""
    found = values.copy()
    # What lies outside of the range is read as its end, and is another number.
    feature = dataclasses.replace(feature, low=None, high=None)
    rest = np.flatnonzero(np.isfinite(values) & (values != 0))
    for digits in range(1, 17):
        whole = values.flat[rest]
        decimals = digits - 1 - np.floor(np.log10(np.abs(whole)))
        # Powers of ten are exact up to the 22nd.
        up, down = 10.0 ** decimals.clip(0, 22), 10.0 ** (-decimals).clip(0, 22)
        rounded = np.rint(whole * up / down) * down / up
        same = standardised(rounded, feature) == columns.flat[rest]
        found.flat[rest[same]] = rounded[same]
        rest = rest[~same]
    return found


def _flushed(values: np.ndarray) -> np.ndarray:
    """The same, but 0 for subnormal numbers, which TensorFlow takes for 0."""
    return np.where(np.abs(values) < np.finfo(np.float64).tiny, 0.0, values)


def _scale(values: np.ndarray, log1p: bool) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values)) if log1p else values


def _unscaled(values: np.ndarray, log1p: bool) -> np.ndarray:
    return np.sign(values) * np.expm1(np.abs(values)) if log1p else values


def ascending(bounds: Any, where: str) -> tuple[float, ...]:
    """The bounds of buckets.

    Args:
      bounds: as they were given.
      where: their place, for messages.

    Raises:
      InputError: where they are no numbers, each above the one before.
    """
    numbers = isinstance(bounds, list | tuple) and all(
        type(b) in (int, float) and abs(b) <= LARGEST for b in bounds
    )
    if not numbers or any(a >= b for a, b in itertools.pairwise(bounds)):
        example = sorted(set(bounds)) if numbers else [1, 5, 20]
        raise InputError(
            f"{where} must be ascending numbers. Received: {bounds!r}. Write "
            f"{example}."
        )
    return tuple(float(b) for b in bounds)
