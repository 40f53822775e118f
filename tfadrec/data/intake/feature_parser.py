"""Raw columns of features to typed ones, batch by batch."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.columns import as_mask, as_text, has_decimal_comma
from tfadrec.data.features import KINDS
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.raw_rows import RawRows, shown

#: What stands between the values of columns that are joined, as in the keys of
#: a map in text.
JOINED_BY = ":"


class FeatureParser:
    """Reads the features of a file, and tells in the end what it could not.

    What cannot be read is missing, and is counted in rows that are kept so far;
    so the checks that refuse rows come first.

    Args:
      specs: the features; those without a column are passed over.
    """

    def __init__(self, specs: Iterable[FeatureSpec]) -> None:
        self._read = [_Read(spec) for spec in specs if spec.columns]

    def parse(self, rows: RawRows) -> dict[str, pa.Array]:
        """The typed columns of a batch, by the keys of the features.

        Returns:
          Arrays [n], null where a value is missing.

        Raises:
          InputError: where a column's type does not fit the kind of its
            feature.
        """
        return {read.spec.key: read.parse(rows) for read in self._read}

    def merge(self, later: "FeatureParser") -> None:
        """Adds what another parser of the same features read of later rows."""
        for read, more in zip(self._read, later._read, strict=True):
            read.merge(more)

    def close(self, ledger: Ledger) -> None:
        """Notes what could not be read.

        Raises:
          InputError: where none of the values that were given can be read.
        """
        # Two features may have one column.
        for note in dict.fromkeys(read.note() for read in self._read):
            if note:
                ledger.note(note)


class _Read:
    """What was read of one feature, in rows that are kept."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._source = ""
        self._broken = self._given = self._readable = 0
        #: The first value that could not be read, and its line.
        self._sample = "", 0

    def parse(self, rows: RawRows) -> pa.Array:
        """The typed column of a batch."""
        spec, kind = self.spec, KINDS[self.spec.kind]
        raw = _joined([rows[column] for column in spec.columns])
        given = rows.numbers(spec.columns[0]) if kind.is_number else raw
        try:
            column, broken = kind.parse(given, spec.separator, spec.settings)
        except InputError as error:
            raise InputError(
                f"{rows.source}: the {spec.entity}'s {spec.name!r}: {error}"
            ) from error
        broken = broken & rows.kept
        readable = kind.has_value(column) & rows.kept
        if broken.any() and not self._broken:
            row = int(np.argmax(broken))
            (value,) = shown(raw.slice(row, 1))
            self._sample = value, int(rows.lines[row])
        self._source = rows.source
        self._broken += int(broken.sum())
        self._given += int((broken | readable).sum())
        self._readable += int(readable.sum())
        return column

    def merge(self, later: "_Read") -> None:
        """Adds what was read of later rows."""
        if not self._broken:
            self._sample = later._sample
        self._source = later._source
        self._broken += later._broken
        self._given += later._given
        self._readable += later._readable

    def note(self) -> str:
        """What is to be said of values that cannot be read, or "".

        Raises:
          InputError: where no kept row has one that can.
        """
        if not self._broken:
            return ""
        spec, column = self.spec, ", ".join(self.spec.columns)
        kind, (value, line) = KINDS[spec.kind], self._sample
        sample = f"{value[:60]!r} in line {line}"
        if not self._readable:
            mend = kind.mend
            if kind.is_number and has_decimal_comma(value):
                mend = 'Add `decimal: ","` to the file\'s section'
            raise InputError(
                f"{self._source}: the {spec.entity}'s {spec.name!r}: a "
                f"{spec.kind} must have values that can be read. Received: "
                f"{self._broken:,} values of {column}, none of which can, such "
                f"as {sample}. {mend}, or name another kind or column."
            )
        return (
            f"{self._source}: {self._broken:,} of {self._given:,} values of "
            f"{column} {kind.unreadable}, such as {sample}"
        )


def _joined(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """One column; of several the texts, missing where one of them is."""
    if len(columns) == 1:
        return columns[0]
    texts = [as_text(column) for column in columns]
    whole = np.all([~as_mask(pc.equal(t, "")) for t in texts], axis=0)
    joined = pc.binary_join_element_wise(*texts, JOINED_BY)
    return pa.chunked_array([pc.if_else(pa.array(whole), joined, "")])
