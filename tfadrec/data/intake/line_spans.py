"""How many lines the rows of a text file have."""

import numpy as np

#: Rows of more lines, and a larger share of lines inside of values, are noted.
_MANY_LINES = 10
_LARGE_SHARE = 0.01


class LineSpans:
    """How many lines the rows of a file have, which may come in pieces."""

    def __init__(self) -> None:
        self._lines = self._inside = 0
        #: The first row of many lines, and the first of several: line, lines.
        self._long: tuple[int, int] | None = None
        self._several: tuple[int, int] | None = None

    def add(self, starts: np.ndarray, lines: int, before: int) -> None:
        """Counts the rows of a piece.

        Args:
          starts: int64 [n], the line of the piece where each row begins, in any
            order.
          lines: how many there are.
          before: the lines of the file before the piece.
        """
        self._lines += lines
        if len(starts) == lines:
            return
        starts = np.sort(starts)
        spans = np.diff(starts, append=lines + 1)
        self._inside += int((spans - 1).sum())

        def first(rows: np.ndarray) -> tuple[int, int] | None:
            if not rows.any():
                return None
            row = int(np.argmax(rows))
            return before + int(starts[row]), int(spans[row])

        self._long = self._long or first(spans > _MANY_LINES)
        self._several = self._several or first(spans > 1)

    def merge(self, later: "LineSpans") -> None:
        """Adds the rows of the next piece, which were counted by themselves."""
        self._lines += later._lines
        self._inside += later._inside
        self._long = self._long or later._long
        self._several = self._several or later._several

    def notes(self, name: str) -> tuple[str, ...]:
        """What is to be said of values that hold many line ends.

        Args:
          name: what to call the file.

        Returns:
          At most one note.
        """
        row = self._long
        if row is None and self._inside > _LARGE_SHARE * self._lines:
            row = self._several
        if row is None:
            return ()
        line, lines = row
        return (
            f"{name}: {self._inside:,} of {self._lines:,} lines go on with a "
            f"value in quotes; the row in line {line} has {lines:,} lines. If "
            "it should have one, a quote is not closed there",
        )
