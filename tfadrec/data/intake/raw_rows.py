"""Rows as they were read, each with the line that it came from."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.intake.ledger import Ledger


class RawRows:
    """The rows of one file, and which of them are refused, and why.

    Checks refuse rows; the first reason that a row is given stands. `settle`
    books every row as kept or refused.

    Args:
      source: the file, as the user named it.
      unit: what one row is, in the plural (`ads`, `candidates`).
      table: [n] rows, as they were read.
      lines: int64 [n], the line in `source` where each row begins, from 1.
      broken: (line, reason, text) of rows that have no columns to speak of.
    """

    def __init__(
        self,
        source: str,
        unit: str,
        table: pa.Table,
        lines: np.ndarray,
        broken: Sequence[tuple[int, str, str]] = (),
    ):
        self.source = source
        self.unit = unit
        self.table = table
        self.lines = lines
        self.broken = tuple(broken)
        self._reasons: list[str] = []
        self._codes = np.zeros(len(table), np.int32)

    def __len__(self) -> int:
        """The number of rows, without the broken ones."""
        return len(self.table)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        """One column, [n], as it was read."""
        return self.table[name]

    @property
    def kept(self) -> np.ndarray:
        """Bool [n], True where no check refused the row."""
        return self._codes == 0

    def refuse(self, bad: np.ndarray, reason: str) -> None:
        """Refuses rows.

        Args:
          bad: bool [n].
          reason: what is wrong with them, on one line.
        """
        fresh = bad & self.kept
        if fresh.any():
            self._reasons.append(reason)
            self._codes[fresh] = len(self._reasons)

    def settle(self, ledger: Ledger, *, needed: bool = True) -> np.ndarray:
        """Books all rows.

        Args:
          ledger: the book.
          needed: whether the dataset needs at least one of these rows.

        Returns:
          bool [n], True for a kept row.

        Raises:
          InputError: where rows are needed and all were refused.
        """
        refused = np.flatnonzero(self._codes)
        texts = [""] * len(refused)
        if len(refused):
            columns = map(_shown, self.table.take(refused).columns)
            texts = ["\t".join(row) for row in zip(*columns, strict=True)]
        reasons = [self._reasons[code - 1] for code in self._codes[refused]]
        rejects = [
            *self.broken,
            *zip(self.lines[refused].tolist(), reasons, texts, strict=True),
        ]
        ledger.book(
            self.source,
            self.unit,
            read=len(self) + len(self.broken),
            kept=int(self.kept.sum()),
            rejects=sorted(rejects, key=lambda reject: reject[0]),
        )
        if needed and not self.kept.any():
            line, reason, _ = rejects[0] if rejects else (0, "no row", "")
            raise InputError(
                f"{self.source} must hold {self.unit} that can be read. "
                f"Received: {len(rejects)} rows, all refused; line {line}: "
                f"{reason}. Mend the file, or how it is described."
            )
        return self.kept


def _shown(column: pa.ChunkedArray) -> list[str]:
    """The values of a column as people read them, however odd they are."""
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        # Times that Python does not know: too large, or of an unknown zone.
        bits = getattr(column.type, "bit_width", 64)
        whole = pa.int32() if bits == 32 else pa.int64()
        try:
            values = column.cast(whole).to_pylist()
        except pa.ArrowException:
            values = [f"({column.type})"] * len(column)
    return ["" if value is None else str(value) for value in values]
