"""What the YAML file of a table source says, as values."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from tfadrec.core.schema import IdType
from tfadrec.data.intake.feature_spec import FeatureSpec


@dataclasses.dataclass(frozen=True)
class ColumnSpec:
    """Where a value comes from: a column, or one constant for all rows."""

    column: str = ""
    separator: str = " "
    format: str | None = None
    constant: str | None = None


@dataclasses.dataclass(frozen=True)
class LabelSpec:
    """Where a label comes from, and whether it is 0 or 1 or any number."""

    column: str
    type: Literal["binary", "real"] = "binary"


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """One file and the meaning of its columns.

    Args:
      file: as the user wrote it, for messages.
      path: where it is.
      delimiter: of text files; None to tell it by the file's name.
      columns: a column of the dataset -> where it comes from.
      features: of all entities whose columns stand in this file.
      labels: of impressions, `clicked` first.
      counts: of impressions that are aggregated, the columns of `impressions`
        and `clicks`.
      deduplicate: whether an ad or a user may stand on many rows, the first of
        which describes it.
    """

    file: str
    path: str
    delimiter: str | None
    columns: Mapping[str, ColumnSpec]
    features: tuple[FeatureSpec, ...] = ()
    labels: Mapping[str, LabelSpec] = dataclasses.field(default_factory=dict)
    counts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    deduplicate: bool = False

    def wanted(self) -> list[str]:
        """The columns of the file that are read."""
        return [
            *(spec.column for spec in self.columns.values() if spec.column),
            *(label.column for label in self.labels.values()),
            *self.counts.values(),
            *(name for spec in self.features for name in spec.columns),
        ]


@dataclasses.dataclass(frozen=True)
class TableConfig:
    """All that the YAML file says.

    Args:
      name: of the source.
      user_id_type: `string` or `int64`.
      ad_id_type: `string` or `int64`.
      ads: the catalogue's file.
      users: the file of what is known of users, if there is one.
      events: the event log's file, if there is one.
      impressions: the file of impressions, or of positives to sample for.
      sampling: negatives_per_positive, strategy, period and seed; None where
        the file holds impressions with labels.
      negatives_kept: the share of impressions without a click that the file
        holds, in (0, 1].
    """

    name: str
    user_id_type: IdType
    ad_id_type: IdType
    ads: TableSpec
    users: TableSpec | None
    events: TableSpec | None
    impressions: TableSpec
    sampling: Mapping[str, Any] | None
    negatives_kept: float = 1.0

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels' names, `clicked` first."""
        if self.sampling is not None:
            return ("clicked", "converted")
        if self.impressions.counts:
            return ("clicked",)
        return tuple(self.impressions.labels)

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        """The features of all tables."""
        tables = (self.ads, self.users, self.events, self.impressions)
        return tuple(f for t in tables if t is not None for f in t.features)
