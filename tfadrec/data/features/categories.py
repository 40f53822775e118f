"""Many values, weighted or not."""

import dataclasses
from typing import ClassVar

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.data.columns import (
    are_maps,
    as_array,
    as_lists,
    chunks_of,
    filter_lists,
    list_parents,
)
from tfadrec.data.features import maps, vocabulary
from tfadrec.data.features.kind import Kind


class Categories(Kind):
    """A list of categories: a column of lists or maps, or text.

    A map gives each value its weight, as text of entries `value:weight` does
    where the setting `weighted` says so; where it does not, and the column is
    none of maps, a text that is a map cannot be read. Where the setting is
    false, the keys of a column of maps are its values. Entries that are empty
    or unknown, or whose weight is not finite in float32, count for nothing and
    take no place.

    Settings: those of `Category`; `weighted`; and `max_values`, how many
    entries are kept of a list, the first ones.

    Encoded as int32 [n, width], filled up with 0, and where weighted float32
    [n, width] with the suffix `_weights`.
    """

    settings: ClassVar = {
        **vocabulary.SETTINGS,
        "max_values": 32,
        "weighted": None,
    }
    references: ClassVar = ("share",)
    separated: ClassVar = True
    unreadable: ClassVar = (
        f"{maps.UNREADABLE}, or are maps where `weighted: true` is not said"
    )
    mend: ClassVar = f"{maps.MEND}, and say `weighted: true`"

    def has_value(self, column):
        """See `Kind.has_value`."""
        return maps.lengths(column) > 0

    def parse(self, column, separator, settings):
        """See `Kind.parse`."""
        is_map = pa.types.is_map(column.type)
        weighted = settings.get("weighted", is_map)
        if not isinstance(weighted, bool):
            raise InputError(
                "`weighted` must be true or false, without quotes. Received: "
                f"{weighted!r}."
            )
        if weighted:
            return maps.parse(column, separator)
        if is_map:
            column = maps.keys(column)
        lists = as_lists(column, separator, stripped=True)
        broken = are_maps(column)
        return filter_lists(lists, ~broken[list_parents(lists)]), broken

    def describe(
        self,
        feature,
        column,
        known,
        *,
        buckets=0,
        min_count=1,
        max_values=32,
        weighted=None,
    ):
        """See `Kind.describe`."""
        check_max_values(feature, max_values)
        longest = max(
            (maps.lengths(c).max(initial=0) for c in chunks_of(column)),
            default=0,
        )
        found = vocabulary.described(
            feature,
            lambda: (maps.entries(chunk)[0] for chunk in chunks_of(column)),
            known,
            buckets,
            min_count,
        )
        return dataclasses.replace(
            feature,
            width=max(1, min(int(longest), max_values)),
            weighted=pa.types.is_map(column.type),
            **found,
        )

    def encode(self, column, feature):
        """See `Kind.encode`."""
        column = as_array(column)
        values, weights = maps.entries(column)
        codes = vocabulary.codes(values, feature)
        entries = {feature.tensor: codes}
        keep = codes > 0
        if feature.weighted:
            with np.errstate(over="ignore"):
                weights = weights.astype(np.float32)
            entries[f"{feature.tensor}_weights"] = weights
            keep &= np.isfinite(weights)
        return {
            name: maps.padded(column, values, feature.width, keep)
            for name, values in entries.items()
        }

    def decode(self, columns, feature):
        """See `Kind.decode`."""
        raw = {
            feature.tensor: vocabulary.names(columns[feature.tensor], feature)
        }
        if feature.weighted:
            key = f"{feature.tensor}_weights"
            raw[key] = columns[key]
        return raw


def check_max_values(feature: Feature, max_values: int) -> None:
    """Refuses a bound on the length of a list that is none.

    Raises:
      InputError: where `max_values` is no integer from 1 to 10,000.
    """
    if type(max_values) is not int or not 1 <= max_values <= 10_000:
        raise InputError(
            "`max_values` must be an integer from 1 to 10,000. Received: "
            f"{max_values!r} for {feature.name!r}."
        )
