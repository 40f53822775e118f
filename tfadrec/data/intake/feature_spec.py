"""What a source says about a feature before its columns are read."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfadrec.core.feature import Entity


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """One feature of a source: its kind, its column and its settings.

    Args:
      name: of the feature, any text.
      entity: what the feature belongs to.
      kind: one of `tfadrec.data.features.KINDS`.
      columns: of the file; several are joined, see `feature_columns`. None
        where the kind is derived from other features.
      separator: what stands between the entries of a list in text.
      settings: those of the kind.
      of: names of the features that a derived one reads, `brand` or `ad.brand`.
      share: the name of the feature whose vocabulary this one uses, or "".
    """

    name: str
    entity: Entity
    kind: str
    columns: tuple[str, ...] = ()
    separator: str = " "
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    of: tuple[str, ...] = ()
    share: str = ""

    @property
    def key(self) -> str:
        """The name of the column until the dataset is written."""
        return f"{self.entity}.{self.name}"

    @property
    def references(self) -> tuple[str, ...]:
        """The names of the features that have to be known before this one."""
        return (*self.of, self.share) if self.share else self.of
