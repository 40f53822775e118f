"""A number: clipped, on a logarithmic scale on request, and standardised."""

import dataclasses
import itertools
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.columns import as_array, as_floats, as_text
from tfadrec.data.features.kind import Kind

#: A number further from 0 than this counts as missing: squares of larger ones
#: leave the range of a double.
LARGEST = 1e100
#: How many deviations from the mean a number may be; what is further counts as
#: this far, so that one outlier of the log cannot drive a logit.
_DEVIATIONS = 10.0
#: A deviation smaller than this share of the mean is rounding.
_ROUNDING = 1e-9


class Number(Kind):
    """A number, missing where there is none or it is not finite.

    With x clipped to the range seen, [low, high], and f(x) = sign(x) log(1 +
    |x|) where `log1p`, else x, a number is read as (f(x) - mean) / std. A
    column whose values are all alike has the deviation 1.

    Settings: `log1p`; `bounds`, a list of ascending numbers that cut the range
    into buckets; or `buckets`, how many buckets of equal counts there are to
    be. In buckets a number is a category.

    Encoded as float32 [n], nan where missing, or int32 [n] for buckets, 0 where
    missing.
    """

    settings: ClassVar = {"log1p": False, "bounds": (), "buckets": 0}
    unreadable: ClassVar = "are no numbers and count as missing"
    mend: ClassVar = (
        'Where numbers are written as 0,5, add `decimal: ","` to the file\'s '
        "section"
    )

    def parse(self, column, separator, settings):
        """See `Kind.parse`."""
        values = as_floats(column)
        missing = ~(np.abs(values) <= LARGEST)
        given = as_text(column)
        empty = pc.equal(given, "").to_numpy(zero_copy_only=False)
        return pa.array(values, mask=missing), missing & ~empty

    def describe(
        self, feature, column, known, *, log1p=False, bounds=(), buckets=0
    ):
        """See `Kind.describe`."""
        values = as_array(column).cast(pa.float64())
        values = values.to_numpy(zero_copy_only=False)
        return describe_number(
            feature, values, log1p=log1p, bounds=bounds, buckets=buckets
        )

    def encode(self, column, feature):
        """See `Kind.encode`."""
        values = as_array(column).cast(pa.float64())
        values = values.to_numpy(zero_copy_only=False)
        return {feature.tensor: standardised(values, feature)}

    def decode(self, columns, feature):
        """See `Kind.decode`."""
        return {feature.tensor: raw_numbers(columns[feature.tensor], feature)}


def describe_number(
    feature: Feature,
    values: np.ndarray,
    *,
    log1p: bool = False,
    bounds=(),
    buckets: int = 0,
) -> Feature:
    """A feature with the range, mean and deviation of float64 values [n].

    Raises:
      InputError: where a setting is wrong.
    """
    if not isinstance(log1p, bool):
        raise InputError(
            f"`log1p` must be true or false. Received: {log1p!r} for "
            f"{feature.name!r}."
        )
    known = values[np.abs(values) <= LARGEST]
    if buckets:
        if type(buckets) is not int or not 2 <= buckets <= 10_000 or bounds:
            raise InputError(
                "`buckets` of a number must be an integer from 2 to 10,000, "
                f"and go without `bounds`. Received: buckets={buckets!r}, "
                f"bounds={bounds!r} for {feature.name!r}."
            )
        shares = np.arange(1, buckets) / buckets
        cuts = np.quantile(known, shares) if len(known) else np.zeros(1)
        bounds = np.unique(cuts).tolist()
    edges = _bounds(feature, bounds)
    feature = dataclasses.replace(feature, log1p=log1p, bounds=edges)
    if edges:
        return feature
    if not len(known):
        # Nothing can be learned of numbers that come later: all are alike.
        return dataclasses.replace(feature, low=0.0, high=0.0)
    scaled = _scale(known, log1p)
    mean, std = float(scaled.mean()), float(scaled.std())
    if not std > _ROUNDING * abs(mean):
        std = 1.0
    far = np.abs(scaled - mean) > _DEVIATIONS * std
    near = known[~far] if not far.all() else known
    return dataclasses.replace(
        feature,
        low=float(near.min()),
        high=float(near.max()),
        mean=mean,
        std=std,
    )


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
    if feature.log1p:
        scaled = np.sign(scaled) * np.expm1(np.abs(scaled))
    # Rounding must not make a number missing.
    return np.clip(scaled, -LARGEST, LARGEST)


def _flushed(values: np.ndarray) -> np.ndarray:
    """The same, but 0 for subnormal numbers, which TensorFlow takes for 0."""
    return np.where(np.abs(values) < np.finfo(np.float64).tiny, 0.0, values)


def _scale(values: np.ndarray, log1p: bool) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values)) if log1p else values


def _bounds(feature: Feature, bounds) -> tuple[float, ...]:
    numbers = isinstance(bounds, list | tuple) and all(
        isinstance(b, int | float) and abs(b) <= LARGEST for b in bounds
    )
    if not numbers or any(a >= b for a, b in itertools.pairwise(bounds)):
        raise InputError(
            f"`bounds` must be ascending numbers. Received: {bounds!r} for "
            f"{feature.name!r}."
        )
    return tuple(float(b) for b in bounds)
