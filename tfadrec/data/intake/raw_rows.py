"""Rows as they were read, each with the line that it came from."""

import collections
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.intake.ledger import Ledger

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

#: Characters of a row in a message.
_SHOWN = 80


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
      notes: what the user should know of the file, for the ledger.
    """

    def __init__(
        self,
        source: str,
        unit: str,
        table: pa.Table,
        lines: np.ndarray,
        broken: Sequence[tuple[int, str, str]] = (),
        notes: Sequence[str] = (),
    ):
        self.source = source
        self.unit = unit
        self.table = table
        self.lines = lines
        self.broken = tuple(broken)
        self.notes = tuple(notes)
        self._reasons: list[str] = []
        self._codes = np.zeros(len(table), np.int32)
        self._left_out = 0

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

    def leave_out(self, unwanted: np.ndarray) -> None:
        """Takes rows out that are not refused, but not wanted either.

        Args:
          unwanted: bool [n]; rows that are refused already stay so.

        Raises:
          InputError: where no row is left.
        """
        unwanted = unwanted & self.kept
        if unwanted.any() and unwanted.all():
            raise InputError(
                f"`where` must leave {self.unit} of {self.source}. Received: "
                f"{len(self):,} rows, none of which meets it. Correct it."
            )
        self._left_out += int(unwanted.sum())
        self.table = self.table.filter(pa.array(~unwanted))
        self.lines = self.lines[~unwanted]
        self._codes = self._codes[~unwanted]

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
          needed: whether the dataset needs at least one of these rows.
          max_rejected: the largest share of rows that may be refused; those
            that are left out do not count.
          allow: where `max_rejected` can be given, for the message.

        Returns:
          bool [n], True for a kept row.

        Raises:
          InputError: where rows are needed and all were refused, or too many
            were.
        """
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
        read = len(self) + len(self.broken)
        rejects = sorted(rejects, key=lambda reject: reject[0])
        ledger.book(
            self.source,
            self.unit,
            read=read + self._left_out,
            kept=int(self.kept.sum()),
            rejects=rejects,
            left_out=self._left_out,
        )
        for note in self.notes:
            ledger.note(note)
        if needed and not self.kept.any():
            line, reason, row = rejects[0] if rejects else (0, "no row", "")
            mends = _mends(reason, "or how it is described")
            raise InputError(
                f"{self.source} must hold {self.unit} that can be read. "
                f"Received: {len(rejects)} rows, all refused; line {line}: "
                f"{reason} ({_short(row)}). {mends}."
            )
        if len(rejects) > max_rejected * read:
            raise self._too_many(rejects, read, max_rejected, allow)
        return self.kept

    def _too_many(
        self,
        rejects: Sequence[tuple[int, str, str]],
        read: int,
        max_rejected: float,
        allow: str,
    ) -> InputError:
        """The error for a file of which too much would be lost."""
        counted = collections.Counter(reason for _, reason, _ in rejects)
        reason, number = counted.most_common(1)[0]
        line, row = next((n, row) for n, why, row in rejects if why == reason)
        # Rounded up, so that it allows this file.
        share = -(-len(rejects) * 100 // read) / 100
        mends = _mends(reason, f"or allow it with {allow}: {share:.2g}")
        return InputError(
            f"at most {max_rejected * 100:.4g} % of the {self.unit} of "
            f"{self.source} may be refused. Received: {len(rejects):,} of "
            f"{read:,}; the commonest reason, {number:,} times, is "
            f"{reason!r}, such as in line {line} "
            f"({_short(row)}). {mends}."
        )


def _mends(reason: str, last: str) -> str:
    """What to do about many rows that were refused for one reason."""
    mends = [mend for part, mend in _MENDS if part in f"{reason}."]
    text = ", or ".join([*mends, "mend the file"])
    return f"{text[0].upper()}{text[1:]}, {last}"


def _short(row: str) -> str:
    """A row's values for a message, one blank between them."""
    text = " ".join(row.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


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
    return ["" if value is None else str(value) for value in values]
