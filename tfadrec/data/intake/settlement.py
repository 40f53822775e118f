"""The books of a file whose rows come batch by batch."""

import collections
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.columns import has_decimal_comma
from tfadrec.data.intake.decimal_spelling import DecimalSpelling
from tfadrec.data.intake.ledger import Ledger, as_rejects
from tfadrec.data.intake.line_spans import LineSpans

if TYPE_CHECKING:
    from tfadrec.data.intake.raw_rows import RawRows

#: What a reason for many refused rows suggests.
_MENDS = (
    ("id repeats an earlier one", "use `deduplicate: true`"),
    ("no time that can be read", "give the `format` of the times"),
    (
        "not in seconds",
        "give the `unit` of the times, such as ms, or their `format`",
    ),
    ("not UTF-8", "give the `encoding` of the file, such as latin-1"),
    ("fields instead of", "give the `delimiter` of the file"),
    ("is no integer.", "use ids of type string"),
    (
        "is not 0 or 1",
        "say which values are: {column: …, positive: [yes], negative: [no]}",
    ),
    (
        "neither positive nor negative",
        "name all values as one of these, or leave such rows out by `where`",
    ),
    (
        "has no label",
        "leave such rows out by `where`, or say what they are: {column: …, "
        'positive: {not: ""}, negative: ""}',
    ),
    (
        "not in the catalogue",
        "compare how both files write ids (`ad_id_type: int64` reads 0012 and "
        "12.0 as 12)",
    ),
)
#: Reasons that a number written as 0,5 may be refused for.
_OF_NUMBERS = ("is no number", "is not 0 or 1", "is no integer from 0 on")
#: Characters of a row in a message.
_SHOWN = 80


class Settlement:
    """Counts what becomes of a file's rows, and judges them at its end.

    Args:
      source: the file, as the user named it.
      unit: what one row is, in the plural.

    Example:
      settlement = Settlement("log.csv", "events")
      for rows in batches:
          kept = settlement.add(rows)
      settlement.close(ledger, max_rejected=0.05)
    """

    def __init__(self, source: str, unit: str) -> None:
        self._source, self._unit = source, unit
        self._read = self._kept = self._left_out = 0
        #: Column -> the first value that its condition left out.
        self._unwanted: dict[str, str] = {}
        self._rejects: list[pa.Table] = []
        self._reasons: collections.Counter[str] = collections.Counter()
        #: Reason -> the first line that was refused for it, and its row.
        self._first: dict[str, tuple[int, str]] = {}
        self._spans = LineSpans()
        self._decimals = DecimalSpelling()
        self._decimal = "."
        self._doubts: list[set[str]] = []

    @property
    def kept(self) -> int:
        """How many rows are kept so far."""
        return self._kept

    @property
    def left_out(self) -> int:
        """How many rows were not wanted so far."""
        return self._left_out

    def add(self, rows: "RawRows") -> np.ndarray:
        """Counts the rows of a batch.

        Returns:
          bool [n], True for a kept row.
        """
        rejects = rows.refused()
        for line, reason, row in rejects:
            self._reasons[reason] += 1
            self._first.setdefault(reason, (line, row))
        if rejects:
            self._rejects.append(as_rejects(self._source, rejects))
        kept = rows.kept
        self._read += len(rows) + len(rows.broken) + rows.left_out
        self._left_out += rows.left_out
        self._unwanted = rows.unwanted | self._unwanted
        self._kept += int(kept.sum())
        if rows.spans is not None:
            self._spans.merge(rows.spans)
        self._decimals.merge(rows.decimals)
        self._decimal = rows.decimal
        if kept.any():
            self._doubts.append(set(rows.doubts))
        return kept

    def merge(self, later: "Settlement") -> None:
        """Adds the rows of later batches, which were counted by themselves."""
        self._read += later._read
        self._kept += later._kept
        self._left_out += later._left_out
        self._unwanted = later._unwanted | self._unwanted
        self._rejects += later._rejects
        self._reasons += later._reasons
        self._first = later._first | self._first
        self._spans.merge(later._spans)
        self._decimals.merge(later._decimals)
        self._decimal = later._decimal
        self._doubts += later._doubts

    def close(
        self,
        ledger: Ledger,
        *,
        needed: bool = True,
        max_rejected: float = 1.0,
        allow: str = "",
    ) -> None:
        """Books all rows.

        Args:
          ledger: the book.
          needed: whether the dataset needs at least one of these rows.
          max_rejected: the largest share of rows that may be refused; those
            that are left out do not count.
          allow: where `max_rejected` can be given, for the message.

        Raises:
          InputError: where too many rows were refused, or rows are needed and
            all were refused or none is wanted.
        """
        refused = self._reasons.total()
        if needed and self._left_out and not self._kept and not refused:
            such = [f"{c} {_short(v)!r}" for c, v in self._unwanted.items()]
            raise InputError(
                f"`where` must leave {self._unit} of {self._source}. Received: "
                f"{self._read:,} rows, none of which meets it, such as those "
                f"with {' or '.join(such)}. Compare with what stands in the "
                "file, or leave the condition out."
            )
        ledger.book(
            self._source,
            self._unit,
            read=self._read,
            kept=self._kept,
            rejects=self._rejects,
            left_out=self._left_out,
        )
        doubts = set.intersection(*self._doubts) if self._doubts else set()
        notes = [
            *self._spans.notes(self._source),
            *self._decimals.notes(self._source),
        ]
        for note in (*notes, *sorted(doubts)):
            ledger.note(note)
        if needed and not self._kept:
            ((reason, _),) = self._reasons.most_common(1) or [("no row", 0)]
            line, row = self._first.get(reason, (0, ""))
            mends = self._mends(reason, "or how it is described")
            raise InputError(
                f"{self._source} must hold {self._unit} that can be read. "
                f"Received: {refused} rows, all refused; line {line}: "
                f"{reason} ({_short(row)}). {mends}."
            )
        if refused > max_rejected * (self._read - self._left_out):
            raise self._too_many(max_rejected, allow)

    def _too_many(self, max_rejected: float, allow: str) -> InputError:
        """The error for a file of which too much would be lost."""
        refused, read = self._reasons.total(), self._read - self._left_out
        reason, number = self._reasons.most_common(1)[0]
        # Rounded up, so that it allows this file.
        line, row = self._first[reason]
        share = -(-refused * 100 // read) / 100
        mends = self._mends(reason, f"or allow it with {allow}: {share:.2g}")
        return InputError(
            f"at most {max_rejected * 100:.4g} % of the {self._unit} of "
            f"{self._source} may be refused. Received: {refused:,} of "
            f"{read:,}; the commonest reason, {number:,} times, is "
            f"{reason!r}, such as in line {line} ({_short(row)}). {mends}."
        )

    def _mends(self, reason: str, last: str) -> str:
        """What to do about many rows that were refused for one reason."""
        mends = [mend for part, mend in _MENDS if part in f"{reason}."]
        if self._decimal == "." and any(p in reason for p in _OF_NUMBERS):
            _, row = self._first.get(reason, (0, ""))
            if any(map(has_decimal_comma, row.split("\t"))):
                mends.insert(0, 'add `decimal: ","`')
        text = ", or ".join([*mends, "mend the file"])
        return f"{text[0].upper()}{text[1:]}, {last}"


def _short(row: str) -> str:
    """A row's values for a message, one blank between them."""
    text = " ".join(row.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
