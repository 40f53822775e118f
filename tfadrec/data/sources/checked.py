"""What became of the rows of a batch of a log."""

import dataclasses
from collections.abc import Mapping

import pyarrow as pa

from tfadrec.data.intake.feature_parser import FeatureParser
from tfadrec.data.intake.first_values import FirstValues
from tfadrec.data.intake.raw_rows import RawRows
from tfadrec.data.intake.settlement import Settlement


@dataclasses.dataclass
class Checked:
    """A batch after all checks, which know of no other batch.

    Args:
      table: the rows that are kept, with the columns of the dataset.
      rows: how many were checked.
      settlement: counts of what became of them.
      features: what could not be read of features.
      firsts: of a table in which an ad or a user may have several rows, the
        first values, in the place of its rows.
      histories: of impressions that have them, `ads` and perhaps `types`.
      entries: what became of the entries of histories.
      counts: of impressions that are aggregated, sums for the ledger by names.
    """

    table: pa.Table
    rows: int
    settlement: Settlement
    features: FeatureParser
    firsts: FirstValues | None = None
    histories: pa.Table | None = None
    entries: Settlement | None = None
    counts: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        rows: RawRows,
        columns: Mapping[str, pa.Array],
        features: FeatureParser,
    ) -> "Checked":
        """A batch that no check will refuse rows of any more.

        Args:
          rows: the batch.
          columns: of the dataset, [n].
          features: has parsed the features of the rows.
        """
        settlement = Settlement(rows.source, rows.unit)
        kept = settlement.add(rows)
        table = pa.table(dict(columns)).filter(kept)
        return cls(table, len(rows), settlement, features)
