"""Groups of rows by what no column says, but the rows do."""

import unicodedata
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tfadrec.data.dataset import Dataset

_DAY, _HOUR = 86_400, 3600
#: Numbers are parted into so many groups of equally many rows.
_PARTS = 4
MISSING = "missing"

Groups = tuple[list[str], NDArray[np.int64]]


def quarters(
    values: NDArray, in_units: Callable[[NDArray], NDArray] = np.asarray
) -> Groups:
    """Four groups of numbers, of as many rows each, named by their ends.

    Args:
      values: [n]; nan makes a group of its own, the first.
      in_units: what people read in place of the numbers.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return [MISSING], np.zeros(len(values), np.int64)
    shares = np.arange(1, _PARTS) / _PARTS
    edges = np.unique(np.quantile(known, shares, method="inverted_cdf"))
    codes = np.searchsorted(edges, values, side="left") + 1
    ends = [f"{edge:.4g}" for edge in in_units(edges.astype(np.float64))]
    names = [MISSING, *(f"to {end}" for end in ends), f"above {ends[-1]}"]
    return names, np.where(np.isnan(values), 0, codes)


def _history_length(dataset: Dataset) -> Groups:
    lengths = dataset.impressions.history_lengths
    return quarters(np.asarray(lengths, np.float64))


def _ad_age(dataset: Dataset) -> Groups:
    """Days since the first impression of the ad in all of the dataset."""
    origin = dataset.origin
    everything = (dataset if origin is None else origin.whole).impressions
    rows = dataset.impressions
    first = np.full(len(dataset.catalogue) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, everything.ads, everything.times)
    days = (rows.times - first[rows.ads]) / _DAY
    return quarters(np.where(rows.ads == 0, np.nan, days))


def _hour(dataset: Dataset) -> Groups:
    """Of the day, UTC."""
    hours = np.asarray(dataset.impressions.times) // _HOUR % 24
    names = [f"{first} to {first + 5}" for first in range(0, 24, 6)]
    return [MISSING, *names], hours // 6 + 1


def _text_length(dataset: Dataset) -> Groups:
    """Characters of the ad's title and description."""
    lengths = [float(len(text)) for text in _texts(dataset)]
    of_ads = np.array([np.nan, *lengths])
    return quarters(of_ads[dataset.impressions.ads])


def _script(dataset: Dataset) -> Groups:
    """The writing system of most letters of the ad's text."""
    found = [_script_of(text) for text in _texts(dataset)]
    names = [MISSING, *sorted(set(found) - {MISSING})]
    codes = {name: code for code, name in enumerate(names)}
    of_ads = np.array([0, *(codes[name] for name in found)])
    return names, of_ads[dataset.impressions.ads]


def _texts(dataset: Dataset) -> list[str]:
    catalogue = dataset.catalogue
    pairs = zip(catalogue.titles, catalogue.descriptions, strict=True)
    return [title + text for title, text in pairs]


def _script_of(text: str) -> str:
    """Such as `latin` or `cyrillic`, the first word of its letters' names."""
    words = [
        unicodedata.name(letter, MISSING).split()[0].lower()
        for letter in text
        if letter.isalpha()
    ]
    return max(sorted(set(words)), key=words.count) if words else MISSING


#: Name -> the groups' names, and the group of each row.
DERIVED: dict[str, Callable[[Dataset], Groups]] = {
    "history_length": _history_length,
    "ad_age": _ad_age,
    "hour": _hour,
    "text_length": _text_length,
    "script": _script,
}
