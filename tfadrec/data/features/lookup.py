"""A map from a key to a number, read at the ad's category."""

import dataclasses
from typing import ClassVar

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.data.columns import as_array, chunks_of
from tfadrec.data.features import maps, vocabulary
from tfadrec.data.features.categories import check_max_values
from tfadrec.data.features.kind import Kind
from tfadrec.data.features.number import (
    describe_number,
    raw_numbers,
    standardised,
)


class Lookup(Kind):
    """A user's or a request's map, such as clicks by category.

    The number that the map has for the category of a candidate is a feature of
    that candidate; it is missing where the map has no such key. The keys have
    the codes of that category; entries with an unknown key or without a number
    take no place.

    Settings: `of`, the ad's category; `log1p`, see `Number`; `max_values`, how
    many entries are kept of a map, the first ones.

    Encoded as int32 [n, width] with the suffix `_keys`, filled up with 0, and
    float32 [n, width] with the suffix `_values`.
    """

    settings: ClassVar = {"log1p": False, "max_values": 64}
    references: ClassVar = ("of",)
    separated: ClassVar = True
    unreadable: ClassVar = maps.UNREADABLE
    mend: ClassVar = maps.MEND

    def has_value(self, column):
        """See `Kind.has_value`."""
        return maps.lengths(column) > 0

    def parse(self, column, separator, settings):
        """See `Kind.parse`."""
        return maps.parse(column, separator)

    def describe(self, feature, column, known, *, log1p=False, max_values=64):
        """See `Kind.describe`."""
        check_max_values(feature, max_values)
        key = known.get(feature.of[0]) if len(feature.of) == 1 else None
        if key is None or key.entity != "ad" or key.kind != "category":
            raise InputError(
                "a lookup is read at one category of the ad. Received: of="
                f"{list(feature.of)} for {feature.name!r}. Name a feature of "
                "the ad of kind category."
            )
        if feature.entity not in ("user", "context"):
            raise InputError(
                "a lookup is a map of a user or of a request. Received: "
                f"{feature.name!r} of the {feature.entity}. Give the map to "
                "users or to impressions."
            )
        described = describe_number(
            feature,
            lambda: (maps.entries(chunk)[1] for chunk in chunks_of(column)),
            log1p=log1p,
        )
        longest = max(
            (maps.lengths(c).max(initial=1) for c in chunks_of(column)),
            default=1,
        )
        return dataclasses.replace(
            described,
            vocabulary=key.vocabulary,
            buckets=key.buckets,
            share=key.share or feature.of[0],
            width=max(1, min(int(longest), max_values)),
        )

    def encode(self, column, feature):
        """See `Kind.encode`."""
        column = as_array(column).cast(maps.MAP)
        keys, values = maps.entries(column)
        codes = vocabulary.codes(keys, feature)
        numbers = standardised(values, feature)
        entries = {"_keys": codes, "_values": numbers}
        keep = (codes > 0) & ~np.isnan(numbers)
        return {
            feature.tensor + suffix: maps.padded(
                column, entry, feature.width, keep
            )
            for suffix, entry in entries.items()
        }

    def decode(self, columns, feature):
        """See `Kind.decode`."""
        keys = columns[f"{feature.tensor}_keys"]
        values = columns[f"{feature.tensor}_values"]
        return {
            f"{feature.tensor}_keys": vocabulary.names(keys, feature),
            f"{feature.tensor}_values": raw_numbers(values, feature),
        }
