"""What the YAML file of a table source says, as values."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal

from tfadrec.core.schema import IdType
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.row_filter import RowFilter

#: The share of the rows of a file that may be refused, unless it says so.
MAX_REJECTED = 0.05


@dataclasses.dataclass(frozen=True)
class ColumnSpec:
    """Where a value comes from: a column, or one constant for all rows.

    Args:
      column: of the file.
      separator: what stands between the entries of a list in text.
      format: of times, in the letters of `strptime`.
      timezone: the IANA name of the zone of times that state none.
      unit: of times that are numbers: s, ms, us or ns.
      constant: the value of all rows, where there is no column.
      types: of a history, the column of lists with the types of its events.
      type_separator: of a history, what stands between the ad and the type of
        an event in one entry, or "".
      max_rejected: of a history, the largest share of refused entries.
      shares: of a split that is drawn, the shares to validate and to test on.
    """

    column: str = ""
    separator: str = " "
    format: str | None = None
    timezone: str | None = None
    unit: str | None = None
    constant: str | None = None
    types: str = ""
    type_separator: str = ""
    max_rejected: float = MAX_REJECTED
    shares: tuple[float, float] | None = None

    @property
    def names(self) -> list[str]:
        """The columns of the file."""
        return [name for name in (self.column, self.types) if name]


@dataclasses.dataclass(frozen=True)
class LabelSpec:
    """Where a label comes from, and whether it is 0 or 1 or any number.

    Args:
      column: of the file.
      type: `binary` or `real`.
      positive: which values of a binary label are 1; None where they are 0 and
        1, or words for true and false.
      negative: which ones are 0; None together with `positive`.
    """

    column: str
    type: Literal["binary", "real"] = "binary"
    positive: RowFilter | None = None
    negative: RowFilter | None = None


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """One file and the meaning of its columns.

    Args:
      file: as the user wrote it, for messages.
      path: where it is.
      delimiter: of text files; None to tell it by the file's name.
      encoding: of text files; None for UTF-8.
      quoting: whether quotes in text hold values together.
      decimal: what stands before the decimals of numbers in text, "." or ",".
      header: the names of all columns of a text file without a header.
      where: the conditions that the rows which are wanted meet.
      max_rejected: the largest share of rows that may be refused.
      columns: a column of the dataset -> where it comes from.
      features: of all entities whose columns stand in this file.
      labels: of impressions, `clicked` first.
      counts: of impressions that are aggregated, the columns of `impressions`
        and `clicks`.
      deduplicate: whether an ad or a user may stand on many rows, which are
        described by the first value of each column.
      skipped: of events, whether ads that were shown and not clicked are
        events as well; None where the file does not say so.
      repeats: of events and impressions, whether features count those of
        before; None where the file does not say so.
      needed: whether the dataset needs at least one of the file's rows.
    """

    file: str
    path: str
    columns: Mapping[str, ColumnSpec]
    delimiter: str | None = None
    features: tuple[FeatureSpec, ...] = ()
    labels: Mapping[str, LabelSpec] = dataclasses.field(default_factory=dict)
    counts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    deduplicate: bool = False
    skipped: bool | None = None
    repeats: bool | None = None
    encoding: str | None = None
    quoting: bool = True
    decimal: str = "."
    header: tuple[str, ...] = ()
    where: tuple[RowFilter, ...] = ()
    max_rejected: float = MAX_REJECTED
    needed: bool = True

    @property
    def place(self) -> str:
        """The file behind links, by which two sections have the same one."""
        return self.path if "://" in self.path else os.path.realpath(self.path)

    def wanted(self) -> list[str]:
        """The columns of the file that are read."""
        return [
            *(name for spec in self.columns.values() for name in spec.names),
            *(label.column for label in self.labels.values()),
            *self.counts.values(),
            *(name for spec in self.features for name in spec.columns),
            *(condition.column for condition in self.where),
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
    def label_types(self) -> dict[str, str]:
        """Each label -> `binary` or `real`."""
        told = self.impressions.labels
        return {n: told[n].type if n in told else "binary" for n in self.labels}

    @property
    def has_weights(self) -> bool:
        """Whether the rows of impressions have weights."""
        return bool(self.impressions.counts) or (
            "weight" in self.impressions.columns
        )

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        """The features of all tables."""
        tables = (self.ads, self.users, self.events, self.impressions)
        return tuple(f for t in tables if t is not None for f in t.features)
