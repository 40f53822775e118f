"""Numbers and aligned text tables, the same in the terminal and the report."""

from collections.abc import Sequence

#: Metrics that are counts of rows.
COUNTS = ("count", "positives")


def format_metric(name: str, value: float) -> str:
    """A metric as it is shown: four decimals, counts whole, nan as `nan`."""
    return str(int(value)) if name in COUNTS else f"{value:.4f}"


def in_parts(
    rows: Sequence[Sequence[str]], most: int = 6
) -> list[list[list[str]]]:
    """A table of many columns as several, each with the first column.

    Args:
      rows: cells, header first.
      most: columns beside the first one.
    """
    starts = range(1, max(len(rows[0]), 2), most)
    return [
        [[row[0], *row[start : start + most]] for row in rows]
        for start in starts
    ]


def align(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text, the first column left and the rest right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        [row[0].ljust(widths[0])]
        + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        for row in rows
    )
    return "\n".join("  ".join(line).rstrip() for line in lines)
