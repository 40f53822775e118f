"""Rows as they were read, each with the line that it came from."""

import decimal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import with_decimal_points
from tfadrec.data.intake.decimal_spelling import DecimalSpelling
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.line_spans import LineSpans
from tfadrec.data.intake.settlement import Settlement


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
      spans: the lines of rows of text, of which the ledger is told.
      given_numbers: of columns of texts, those in which the file has numbers
        or Boolean values as well: these as numbers, texts [n], null elsewhere.

    Attributes:
      decimal: what stands before the decimals of numbers in text, "." or ",".
      decimals: how numbers with a decimal comma are written.
      doubts: what holds of the whole file only if it holds of all its rows.
      left_out: how many rows were taken out.
      unwanted: column -> the first value for which one was.
    """

    def __init__(
        self,
        source: str,
        unit: str,
        table: pa.Table,
        lines: np.ndarray,
        broken: Sequence[tuple[int, str, str]] = (),
        spans: LineSpans | None = None,
        given_numbers: Mapping[str, pa.Array] | None = None,
    ):
        self.source = source
        self.unit = unit
        self.table = table
        self.lines = lines
        self.broken = tuple(broken)
        self.spans = spans
        self.decimal = "."
        self.decimals = DecimalSpelling()
        self.doubts: tuple[str, ...] = ()
        self.left_out = 0
        self.unwanted: dict[str, str] = {}
        self._given_numbers = dict(given_numbers or {})
        self._reasons: list[str] = []
        self._codes = np.zeros(len(table), np.int32)

    def __len__(self) -> int:
        """The number of rows, without the broken ones."""
        return len(self.table)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        """One column, [n], as it was read."""
        return self.table[name]

    def numbers(self, name: str) -> pa.ChunkedArray:
        """One column, [n], for who reads numbers: 1.234,5 as 1234.5.

        Where the file has a number, and no text, it stays as it is, and true
        and false are 1 and 0.
        """
        column = self.table[name]
        given = self._given_numbers.get(name)
        if given is not None:
            column = pc.if_else(pc.is_valid(given), None, column)
        if self.decimal != "." and pa.types.is_string(column.type):
            self.decimals.add(name, column, self.lines)
            column = with_decimal_points(column)
        return column if given is None else pc.coalesce(given, column)

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

    def leave_out(self, unwanted: np.ndarray, column: str) -> None:
        """Takes rows out that are not refused, but not wanted either.

        Args:
          unwanted: bool [n]; rows that are refused already stay so.
          column: whose values are not wanted.
        """
        unwanted = unwanted & self.kept
        if not unwanted.any():
            return
        first = self.table[column].slice(int(unwanted.argmax()), 1)
        self.unwanted.setdefault(column, shown(first)[0])
        self.left_out += int(unwanted.sum())
        self.table = self.table.filter(pa.array(~unwanted))
        self.lines = self.lines[~unwanted]
        self._codes = self._codes[~unwanted]
        self._given_numbers = {
            name: given.filter(pa.array(~unwanted))
            for name, given in self._given_numbers.items()
        }

    def refused(self) -> list[tuple[int, str, str]]:
        """(line, reason, text) of all rows that are refused, by their lines."""
        refused = np.flatnonzero(self._codes)
        texts = [""] * len(refused)
        if len(refused):
            columns = map(shown, self.table.take(refused).columns)
            texts = ["\t".join(row) for row in zip(*columns, strict=True)]
        reasons = [self._reasons[code - 1] for code in self._codes[refused]]
        rejects = [
            *self.broken,
            *zip(self.lines[refused].tolist(), reasons, texts, strict=True),
        ]
        return sorted(rejects, key=lambda reject: reject[0])

    def cut(self, size: int) -> Iterator["RawRows"]:
        """The same rows in batches; the first one has the spans of all."""
        broken = sorted(self.broken, key=lambda row: row[0])
        for begin in range(0, max(1, len(self)), size):
            end = begin + size
            here = broken
            if end < len(self):
                here = [row for row in broken if row[0] < self.lines[end]]
            broken = broken[len(here) :]
            rows = RawRows(
                self.source,
                self.unit,
                self.table.slice(begin, size),
                self.lines[begin:end],
                here,
                None if begin else self.spans,
                {
                    name: given.slice(begin, size)
                    for name, given in self._given_numbers.items()
                },
            )
            rows._reasons = list(self._reasons)
            rows._codes = self._codes[begin:end]
            yield rows

    def settle(
        self,
        ledger: Ledger,
        *,
        needed: bool = True,
        max_rejected: float = 1.0,
        allow: str = "",
    ) -> np.ndarray:
        """Books all rows.

        Args:
          ledger: the book.
          needed: see `Settlement.close`.
          max_rejected: as above.
          allow: as above.

        Returns:
          bool [n], True for a kept row.

        Raises:
          InputError: where rows are needed and all were refused, too many
            were, or none is wanted.
        """
        settlement = Settlement(self.source, self.unit)
        kept = settlement.add(self)
        settlement.close(
            ledger, needed=needed, max_rejected=max_rejected, allow=allow
        )
        return kept


def shown(column: pa.ChunkedArray) -> list[str]:
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
    return ["" if value is None else _plain(value) for value in values]


def _plain(value: Any) -> str:
    """A value as text, a small number with its zeros and without exponent."""
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, float) and 0 < abs(value) < 1:
        return np.format_float_positional(value)
    return str(value)
