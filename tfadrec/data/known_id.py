"""Ids that must be those of a dataset."""

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest

#: Ids that are looked through for one that was probably meant.
_NEAR = 10_000


def check_known_id(what: str, given: str | int, known: np.ndarray) -> None:
    """Refuses an id that a dataset does not have.

    Args:
      what: `user` or `ad`.
      given: the id, of the dataset's type.
      known: [n] ids, at least one.

    Raises:
      InputError: where it is none of them.
    """
    if not (known == given).any():
        raise InputError(
            f"an explanation is of a known {what}. Received: {given!r}, which "
            f"the dataset does not have. Name one of it, such as {known[0]}."
            f"{nearest([given], map(str, known[:_NEAR]))}"
        )
