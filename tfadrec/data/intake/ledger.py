"""The book in which every row that was read is kept, refused or left out."""

import dataclasses
from collections.abc import Sequence

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
    """Counts rows per source and unit, and keeps the refused ones.

    Args:
      is_piece: whether the rows join those of another dataset.
    """

    def __init__(self, *, is_piece: bool = False) -> None:
        self._is_piece = is_piece
        self.counts: list[Count] = []
        self.notes: list[str] = []
        self._rejects: list[pa.Table] = []

    def book(
        self,
        source: str,
        unit: str,
        *,
        read: int,
        kept: int,
        rejects: Sequence[pa.Table] = (),
        left_out: int = 0,
    ) -> None:
        """Books all rows of one unit of one source.

        Args:
          source: the file that they came from.
          unit: what one row is, in the plural.
          read: rows that were read.
          kept: rows that the dataset uses.
          rejects: the rows that were refused, see `as_rejects`.
          left_out: rows that the user did not want.

        Raises:
          TfadrecError: where rows were lost or made up.
        """
        refused = sum(map(len, rejects))
        if read != kept + refused + left_out:
            raise TfadrecError(
                f"{unit} read must be {unit} kept + rejected + left out. "
                f"Received: {read} read, {kept} kept, {refused} rejected, "
                f"{left_out} left out in {source}. This is a fault of tfadrec: "
                "please report it."
            )
        self.counts.append(Count(source, unit, read, kept, refused, left_out))
        self._rejects += rejects

    def note(self, text: str) -> None:
        """Remembers something that the user should know, on one line."""
        self.notes.append(text)

    def note_whole(self, text: str) -> None:
        """Remembers what holds of the rows only if there are no others.

        Of a piece of a log nothing is told: that it has one time, say, or that
        nothing comes before it, is as it should be.
        """
        if not self._is_piece:
            self.note(text)

    def rejects(self) -> pa.Table:
        """The table of `rejects.parquet`."""
        return pa.concat_tables([_REJECTS.empty_table(), *self._rejects])


def as_rejects(source: str, rows: Sequence[tuple[int, str, str]]) -> pa.Table:
    """Refused rows as `rejects.parquet` holds them.

    Args:
      source: the file that they came from.
      rows: (line, reason, text) of each.
    """
    lines, reasons, texts = zip(*rows, strict=True)
    columns = [
        [source] * len(rows),
        lines,
        reasons,
        [text[:_ROW_CHARACTERS] for text in texts],
    ]
    return pa.table(columns, schema=_REJECTS)
