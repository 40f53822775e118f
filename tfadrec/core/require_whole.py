"""Whole numbers that are arguments."""

import numbers
from typing import Any

from tfadrec.core.errors import InputError


def require_whole(least: int, **given: Any) -> None:
    """Refuses arguments that are no integers from a number on.

    Args:
      least: the smallest that is allowed.
      **given: values by the names of the arguments.

    Raises:
      InputError: where one is something else.
    """
    for name, value in given.items():
        is_whole = isinstance(value, numbers.Integral)  # NumPy's too
        if not is_whole or isinstance(value, bool) or value < least:
            raise InputError(
                f"`{name}` must be an integer >= {least}. Received: "
                f"{name}={value!r}."
            )
