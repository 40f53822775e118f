"""Work on the next part of a log while this one is written."""

import concurrent.futures
from collections.abc import Iterator
from typing import TypeVar

_Value = TypeVar("_Value")


def ahead(values: Iterator[_Value]) -> Iterator[_Value]:
    """The same values, of which a thread makes the next one ahead.

    Args:
      values: whose making reads and changes nothing that is used with them.

    Raises:
      Exception: what the making raises, in the place of the value.
    """
    end = object()
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, values, end)
        while (value := coming.result()) is not end:
            coming = thread.submit(next, values, end)
            yield value  # type: ignore[misc]
