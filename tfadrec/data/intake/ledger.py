"""The book in which every row that was read is kept, refused or left out."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from tfadrec.core.errors import TfadrecError

_ROW_CHARACTERS = 1000
_REJECTS = pa.schema(
    [
        ("source", pa.string()),
        ("line", pa.int64()),
        ("reason", pa.string()),
        ("row", pa.string()),
    ]
)


@dataclasses.dataclass(frozen=True)
class Count:
    """What became of the rows of one source.

    read = kept + rejected + left out.
    """

    source: str
    unit: str
    read: int
    kept: int
    rejected: int
    left_out: int = 0


class Ledger:
    """Counts rows per source and unit, and keeps the refused ones."""

    def __init__(self) -> None:
        self.counts: list[Count] = []
        self.notes: list[str] = []
        self._rejects: list[dict[str, Any]] = []

    def book(
        self,
        source: str,
        unit: str,
        *,
        read: int,
        kept: int,
        rejects: Iterable[tuple[int, str, str]] = (),
        left_out: int = 0,
    ) -> None:
        """Books all rows of one unit of one source.

        Args:
          source: the file that they came from.
          unit: what one row is, in the plural.
          read: rows that were read.
          kept: rows that the dataset uses.
          rejects: (line, reason, text) of each row that was refused.
          left_out: rows that the user did not want.

        Raises:
          TfadrecError: where rows were lost or made up.
        """
        rows: list[dict[str, Any]] = [
            {
                "source": source,
                "line": line,
                "reason": reason,
                "row": text[:_ROW_CHARACTERS],
            }
            for line, reason, text in rejects
        ]
        if read != kept + len(rows) + left_out:
            raise TfadrecError(
                f"{unit} read must be {unit} kept + rejected + left out. "
                f"Received: {read} read, {kept} kept, {len(rows)} rejected, "
                f"{left_out} left out in {source}. This is a fault of tfadrec: "
                "please report it."
            )
        self.counts.append(Count(source, unit, read, kept, len(rows), left_out))
        self._rejects += rows

    def note(self, text: str) -> None:
        """Remembers something that the user should know, on one line."""
        self.notes.append(text)

    def rejects(self) -> pa.Table:
        """The table of `rejects.parquet`."""
        return pa.Table.from_pylist(self._rejects, schema=_REJECTS)
