"""What `prepare` tells about the dataset that it wrote."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfadrec.data.intake.ledger import Count


@dataclasses.dataclass(frozen=True)
class Summary:
    """A dataset in numbers.

    Args:
      source: the name of the source.
      out: the dataset's folder.
      counts: rows read, kept, rejected and left out, per file and unit.
      sizes: the number of ads, users, events, requests, impressions, and of
        positive ones per label; `label ads` of one that is called `ads`.
      notes: what else the user should know, one line each.
    """

    source: str
    out: str
    counts: tuple[Count, ...]
    sizes: Mapping[str, int]
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The summary to print."""
        sizes = ", ".join(f"{n:,} {name}" for name, n in self.sizes.items())
        lines = [f"{self.source} in {self.out}: {sizes}"]
        lines += [
            f"  {c.source}: {c.read:,} {c.unit} read = {c.kept:,} kept + "
            f"{c.rejected:,} rejected"
            + (f" + {c.left_out:,} left out" if c.left_out else "")
            for c in self.counts
        ]
        lines += [f"  note: {note}" for note in self.notes]
        if any(count.rejected for count in self.counts):
            lines.append(f"  rejected rows: {self.out}/rejects.parquet")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain values for JSON."""
        return dataclasses.asdict(self)
