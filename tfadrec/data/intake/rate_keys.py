"""The keys of rates and counts in logs, as numbers."""

import numpy as np
import pyarrow as pa

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.columns import distinct, rows_of
from tfadrec.data.features import KINDS, as_of
from tfadrec.data.intake.of_rows import ID_OF, of_rows


class RateKeys:
    """Numbers the keys of features in the rows of logs.

    Args:
      schema: of the features.
      impressions: with all ids that are asked for.
      ads: ad_id and typed columns of features by their keys.
      users: user_id and typed columns; None where nothing is known of users.
    """

    def __init__(
        self,
        schema: Schema,
        impressions: pa.Table,
        ads: pa.Table,
        users: pa.Table | None,
    ) -> None:
        self._known = {feature.tensor: feature for feature in schema.features}
        self._ids = {
            name: distinct(impressions[name]) for name in ID_OF.values()
        }
        self._tables = (
            {"ad": ads} if users is None else {"ad": ads, "user": users}
        )

    def groups(self, feature: Feature, *logs: pa.Table) -> list[np.ndarray]:
        """A number for each key of a rate or count, see `as_of.group_of`.

        Args:
          feature: a rate or count.
          *logs: with ids, and columns of features that are neither of ads nor
            of users.

        Returns:
          int64 [n] for each log, by the same numbers.
        """
        codes = [self._codes(feature, log) for log in logs]
        parts = [np.concatenate(part) for part in zip(*codes, strict=True)]
        ends = np.cumsum([len(log) for log in logs[:-1]])
        return np.split(as_of.group_of(parts), ends)

    def _codes(self, feature: Feature, log: pa.Table) -> list[np.ndarray]:
        ids = [rows_of(log[name], self._ids[name]) for name in feature.ids]
        return ids + [self._code(self._known[name], log) for name in feature.of]

    def _code(self, feature: Feature, log: pa.Table) -> np.ndarray:
        """The code of a category for each row of a log, int32 [n]."""
        # Of an id that the table lacks nothing is known.
        return of_rows(feature, log, self._tables, _codes_of, 0)


def _codes_of(column: pa.ChunkedArray, feature: Feature) -> np.ndarray:
    return KINDS[feature.kind].encode(column, feature)[feature.tensor]
