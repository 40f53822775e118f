"""Keys of the YAML file that nothing reads."""

from collections.abc import Iterable, Sequence
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest


def refuse_unknown_keys(
    given: Iterable[Any], allowed: Sequence[str], where: str
) -> None:
    """Refuses a key that a section, a column or a label does not have.

    Args:
      given: the keys.
      allowed: those that there are.
      where: the place of the keys, for messages.

    Raises:
      InputError: where one is unknown, with those there are.
    """
    for key in given:
        if key not in allowed:
            raise InputError(
                f"{where} must hold known keys only. Received: {key!r}. "
                f"Allowed keys: {', '.join(allowed)}."
                f"{nearest([key], allowed)}"
            )
