"""One thing that is wrong."""

import dataclasses
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was found, where, how much of it, and what to do.

    Args:
      name: of the kind of finding, in snake case.
      level: `error` for what makes figures worthless, `warning` for what
        costs, `note` for what is worth knowing.
      where: the column, entity or piece.
      what: what is wrong, one sentence without a full stop.
      much: how much of it there is.
      mend: what to do, one sentence.
    """

    name: str
    level: Literal["error", "warning", "note"]
    where: str
    what: str
    much: str
    mend: str

    @property
    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.level} {self.name} ({self.where}): {self.what}: "
            f"{self.much}. {self.mend}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)
