"""Whether numbers with a decimal comma are told from those with a point."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.data.columns import as_mask

#: One group of three digits, which may be decimals as well.
_ONE_GROUP = r"^\s*[+-]?[1-9][0-9]{0,2}\.[0-9]{3}\s*$"
#: A point with other digits around it, which stands before decimals.
_WITH_POINT = r"^\s*[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?\s*$"


class DecimalSpelling:
    """The columns of a file with both 12.5 and 1.234, which may be in pieces.

    Where a comma stands before decimals, 1.234 is read as 1234. Where 12.5
    stands in the same column, that may be wrong.
    """

    def __init__(self) -> None:
        #: Column -> (value, line) of the first 1.234, and of the first 12.5.
        self._grouped: dict[str, tuple[str, int]] = {}
        self._pointed: dict[str, tuple[str, int]] = {}

    def add(self, name: str, texts: pa.ChunkedArray, lines: np.ndarray) -> None:
        """Looks at some texts of a column.

        Args:
          name: of the column.
          texts: [n], as they stand in the file.
          lines: int64 [n], where.
        """
        grouped = as_mask(
            pc.fill_null(pc.match_substring_regex(texts, _ONE_GROUP), False)
        )
        pointed = as_mask(
            pc.fill_null(pc.match_substring_regex(texts, _WITH_POINT), False)
        )
        for found, rows in (
            (self._grouped, grouped),
            (self._pointed, pointed & ~grouped),
        ):
            if name not in found and rows.any():
                row = int(rows.argmax())
                found[name] = texts[row].as_py().strip(), int(lines[row])

    def merge(self, later: "DecimalSpelling") -> None:
        """Adds the texts of later rows."""
        self._grouped = later._grouped | self._grouped
        self._pointed = later._pointed | self._pointed

    def notes(self, name: str) -> tuple[str, ...]:
        """What is to be said of columns with both.

        Args:
          name: what to call the file.
        """
        both = sorted(set(self._grouped) & set(self._pointed))
        return tuple(self._note(name, column) for column in both)

    def _note(self, name: str, column: str) -> str:
        grouped, line = self._grouped[column]
        pointed, other = self._pointed[column]
        return (
            f"{name}: {column} has {grouped} in line {line}, which `decimal: "
            f'","` reads as {grouped.replace(".", "")}, and {pointed} in line '
            f"{other}, where a point stands before decimals. Write all of them "
            "alike, or leave `decimal` out where points are meant so"
        )
