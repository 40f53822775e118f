"""Rows of a mapped column, some at a time."""

from collections.abc import Iterator

#: A block of a column in float64 takes 8 MiB.
ROWS = 1 << 20


def blocks(count: int) -> Iterator[slice]:
    """The places of all rows, in blocks of at most `ROWS`, in their order.

    Args:
      count: how many rows there are; none give no block.

    Yields:
      Slices whose ends lie within the count.
    """
    for begin in range(0, count, ROWS):
        yield slice(begin, min(begin + ROWS, count))
